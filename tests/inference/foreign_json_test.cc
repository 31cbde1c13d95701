#include "inference/foreign_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace sluice {
namespace {

std::string nested(int levels) {
  const auto n = static_cast<std::size_t>(levels);
  return std::string(n, '[') + "1" + std::string(n, ']');
}

TEST(ForeignJson, IsReadDownToAHundredLevels) {
  EXPECT_FALSE(nests_too_deep(nested(kMostJsonLevels)));
  EXPECT_TRUE(nests_too_deep(nested(kMostJsonLevels + 1)));
  EXPECT_TRUE(read_json<nlohmann::json>(nested(kMostJsonLevels)).is_array());
  EXPECT_TRUE(read_json<nlohmann::json>(nested(kMostJsonLevels + 1)).is_discarded());
  EXPECT_TRUE(read_json<nlohmann::json>("{\"a\": " + nested(200'000) + "}").is_discarded());
}

TEST(ForeignJson, LevelsEndWhereTheirBracketsDo) {
  std::string many = "[";
  for (int i = 0; i < 1000; ++i) many += R"({"a": [1, {"b": "[[[{{{"}]},)";
  many += "null]";
  EXPECT_FALSE(nests_too_deep(many));
  EXPECT_EQ(read_json<nlohmann::json>(many).size(), 1001u);
}

TEST(ForeignJson, WhatIsNoJsonIsDiscarded) {
  EXPECT_TRUE(read_json<nlohmann::json>("").is_discarded());
  EXPECT_TRUE(read_json<nlohmann::json>("{\"a\": 1").is_discarded());
  EXPECT_TRUE(read_json<nlohmann::json>("[1] // one").is_discarded());
  EXPECT_FALSE(nests_too_deep("[1] // \"one\" [[[")) << "comments are no levels";
}

}  // namespace
}  // namespace sluice
