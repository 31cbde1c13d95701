#include "nodes/json/json_text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

namespace sluice {
namespace {

std::string decimal(double value, int decimals) {
  std::string out;
  append_decimal(out, value, decimals);
  return out;
}
std::string quoted_text(std::string_view text) {
  std::string out;
  append_text(out, text);
  return out;
}

TEST(JsonText, DecimalsAreTrimmedToOne) {
  EXPECT_EQ(decimal(400, 3), "400.0");
  EXPECT_EQ(decimal(33.3333333, 3), "33.333");
  EXPECT_EQ(decimal(12.25, 3), "12.25");
  EXPECT_EQ(decimal(-0.001, 2), "0.0");
  EXPECT_EQ(decimal(-1.5, 2), "-1.5");
  EXPECT_EQ(decimal(0.99996, 4), "1.0");
}

TEST(JsonText, WhatIsNotKnownIsNull) {
  EXPECT_EQ(decimal(std::nan(""), 2), "null");
  EXPECT_EQ(decimal(std::numeric_limits<double>::infinity(), 2), "null");
  EXPECT_EQ(decimal(1e300, 2), "null");
  std::string out;
  append_float(out, -std::numeric_limits<float>::infinity());
  EXPECT_EQ(out, "null");
}

TEST(JsonText, FloatsReadBackTheSame) {
  std::mt19937 random(7);
  for (int i = 0; i < 2000; ++i) {
    const std::uint32_t bits = random();
    float value;
    std::memcpy(&value, &bits, sizeof value);
    if (!std::isfinite(value)) continue;
    std::string out;
    append_float(out, value);
    EXPECT_EQ(nlohmann::json::parse(out).get<float>(), value) << out;
  }
  std::string one;
  append_float(one, 1.0F);
  EXPECT_EQ(one, "1.0");
}

TEST(JsonText, EscapesWhatJsonDemands) {
  EXPECT_EQ(quoted_text("a\"b\\c\n\t\r\x01"), "\"a\\\"b\\\\c\\n\\t\\r\\u0001\"");
  EXPECT_EQ(quoted_text("Grüße 日本 🙂"), "\"Grüße 日本 🙂\"");
  EXPECT_EQ(quoted_text("a\xffz"), "\"a\xEF\xBF\xBDz\"");
}

TEST(JsonText, KnowsUtf8) {
  EXPECT_TRUE(is_utf8("abc \xC3\xA4 \xE2\x82\xAC \xF0\x9F\x99\x82"));
  for (const char* bad : {"\x80", "\xC0\x80", "\xC3", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
                          "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82"}) {
    EXPECT_FALSE(is_utf8(bad));
  }
}

TEST(JsonText, AnyBytesGiveValidJson) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    std::string bytes;
    for (int i = 0; i < 40; ++i) bytes += static_cast<char>(random());
    EXPECT_TRUE(nlohmann::json::accept(quoted_text(bytes)));
  }
}

}  // namespace
}  // namespace sluice
