#include "framework/spec/scalar.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace sluice {
namespace {

template <typename T>
T value_of(std::string_view text) {
  const Result<Value> value = resolve_scalar(text, {});
  EXPECT_TRUE(value.ok() && std::holds_alternative<T>(value->data)) << text;
  return value.ok() && std::holds_alternative<T>(value->data) ? std::get<T>(value->data) : T{};
}

TEST(Scalar, Null) {
  for (const auto* text : {"", "~", "null", "Null", "NULL"})
    EXPECT_TRUE(resolve_scalar(text, {})->is_null()) << text;
}

TEST(Scalar, OnlyTrueAndFalseAreBooleans) {
  for (const auto* text : {"true", "True", "TRUE"}) EXPECT_TRUE(value_of<bool>(text));
  for (const auto* text : {"false", "False", "FALSE"}) EXPECT_FALSE(value_of<bool>(text));
  for (const auto* text : {"yes", "no", "on", "off", "y", "n", "tRUE", "nULL"}) {
    EXPECT_EQ(value_of<std::string>(text), text);
  }
}

TEST(Scalar, Integers) {
  EXPECT_EQ(value_of<std::int64_t>("010"), 10);  // no octal without 0o
  EXPECT_EQ(value_of<std::int64_t>("0o10"), 8);
  EXPECT_EQ(value_of<std::int64_t>("0x1F"), 31);
  EXPECT_EQ(value_of<std::int64_t>("+7"), 7);
  EXPECT_EQ(value_of<std::int64_t>("-0"), 0);
  EXPECT_EQ(value_of<std::int64_t>("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(value_of<std::int64_t>("-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
}

TEST(Scalar, Floats) {
  EXPECT_EQ(value_of<double>("1.5"), 1.5);
  EXPECT_EQ(value_of<double>("+.5"), 0.5);
  EXPECT_EQ(value_of<double>("-3."), -3.0);
  EXPECT_EQ(value_of<double>("1e3"), 1000.0);
  EXPECT_EQ(value_of<double>("12E-1"), 1.2);
}

TEST(Scalar, WhatLooksAlmostLikeANumberIsText) {
  for (const auto* text :
       {".", "+", "-", "1_000", "0b1", "0o8", "0xg", "-0x1", "1e", "e3", ".e1", "1.2.3", "12:30", "1 2"}) {
    EXPECT_EQ(value_of<std::string>(text), text);
  }
}

TEST(Scalar, RefusesWhatIsNotFinite) {
  for (const auto* text : {".inf", "-.Inf", "+.INF", ".nan", ".NaN", ".NAN"}) {
    const auto value = resolve_scalar(text, {});
    ASSERT_FALSE(value.ok()) << text;
    EXPECT_EQ(value.status().message(),
              "the value '" + std::string(text) + "' is not finite; only finite numbers are allowed");
  }
}

TEST(Scalar, RefusesNumbersOutOfRange) {
  EXPECT_EQ(resolve_scalar("9223372036854775808", {}).status().message(),
            "the number '9223372036854775808' does not fit into 64 bits; put it in quotes if it is a text");
  EXPECT_EQ(resolve_scalar("0xffffffffffffffff", {}).status().message(),
            "the number '0xffffffffffffffff' does not fit into 64 bits; put it in quotes if it is a text");
  EXPECT_EQ(resolve_scalar("1e999", {}).status().message(),
            "the number '1e999' is beyond the range of a double; put it in quotes if it is a text");
}

}  // namespace
}  // namespace sluice
