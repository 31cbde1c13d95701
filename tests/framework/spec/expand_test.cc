#include "framework/spec/expand.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/framework/spec/spec_testing.h"

namespace sluice {

std::optional<std::string> testing::fake_environment(std::string_view name) {
  if (name == "HOME_DIR") return "/data/cam";
  if (name == "EMPTY") return "";
  if (name == "THREADS") return "3";
  if (name == "BAD") return "\xff";
  if (name == "CONTROL") return "\x01";
  if (name == "BIG") return std::string(100'000, 'x');
  return std::nullopt;
}

namespace {

using ::testing::ElementsAre;

std::string expanded(std::string_view text) {
  const auto result = expand(text, testing::fake_environment);
  return result.ok() ? *result : "error: " + result.status().message();
}

TEST(Expand, TakesValuesFromTheEnvironment) {
  EXPECT_EQ(expanded("${HOME_DIR}/a"), "/data/cam/a");
  EXPECT_EQ(expanded("x${HOME_DIR}${THREADS}"), "x/data/cam3");
  EXPECT_EQ(expanded("${EMPTY}"), "");
}

TEST(Expand, DefaultsStandForUnsetAndEmpty) {
  EXPECT_EQ(expanded("${NO:-a b}"), "a b");
  EXPECT_EQ(expanded("${EMPTY:-x}"), "x");
  EXPECT_EQ(expanded("${THREADS:-x}"), "3");
  EXPECT_EQ(expanded("${NO:-}"), "");
  EXPECT_EQ(expanded("${NO:-a:-b}"), "a:-b");
}

TEST(Expand, DollarSigns) {
  EXPECT_EQ(expanded("$$"), "$");
  EXPECT_EQ(expanded("$${HOME_DIR}"), "${HOME_DIR}");
  EXPECT_EQ(expanded("a$b $"), "a$b $");
}

TEST(Expand, ErrorsSayWhatToDo) {
  EXPECT_EQ(expanded("${NO}"),
            "error: the environment variable 'NO' is not set; set it, or write ${NO:-default}");
  EXPECT_EQ(expanded("${1a}"),
            "error: '${1a}' names no environment variable; write ${NAME} or ${NAME:-default}, and "
            "'$$' for a dollar sign");
  EXPECT_EQ(expanded("${}"),
            "error: '${}' names no environment variable; write ${NAME} or ${NAME:-default}, and "
            "'$$' for a dollar sign");
  EXPECT_EQ(expanded("a ${HOME"), "error: '${HOME' has no closing '}'; write '$$' for a dollar sign");
  EXPECT_EQ(expanded("${THREADS:-${NO}}"),
            "error: the default of '${THREADS}' contains '${'; a default is plain text");
  EXPECT_EQ(expanded("${BAD}"),
            "error: the environment variable 'BAD' cannot be used: the byte 0xff is not valid "
            "UTF-8, the only encoding allowed");
  EXPECT_EQ(expanded("${CONTROL}"),
            "error: the environment variable 'CONTROL' cannot be used: the byte 0x01 is a "
            "control character, allowed: tab and line ends");
}

TEST(Expand, InAFilePlainScalarsGetTheirTypeAfterwards) {
  const auto parsed = testing::parse(
      testing::with_node("backends:\n  cpu:\n    threads: ${THREADS}\n    cores: \"${THREADS}\""));
  ASSERT_TRUE(parsed.ok());
  const Value* const cpu = parsed.spec.backends.find("cpu");
  EXPECT_EQ(std::get<std::int64_t>(cpu->find("threads")->data), 3);
  EXPECT_EQ(*cpu->find("cores")->text(), "3");
}

TEST(Expand, NotInKeys) {
  const auto parsed = testing::parse(testing::with_node("backends: {\"${THREADS}\": {}}"));
  EXPECT_TRUE(parsed.ok());
  EXPECT_NE(parsed.spec.backends.find("${THREADS}"), nullptr);
}

TEST(Expand, EveryUnsetNameIsReportedAtItsPlace) {
  EXPECT_THAT(testing::issues_of(testing::with_node("name: ${A}\ndevice: {profile: \"${B}\"}")),
              ElementsAre("3:7: the environment variable 'A' is not set; set it, or write ${A:-default}",
                          "4:19: the environment variable 'B' is not set; set it, or write ${B:-default}"));
}

TEST(Expand, ExpandedTextIsBounded) {
  std::string text = "device: {a: [";
  for (int i = 0; i < 12; ++i) text += "'${BIG}',";
  EXPECT_THAT(
      testing::issues_of(testing::with_node(text + "]}")),
      ElementsAre("3:104: more than 1 MiB of text once ${} and aliases are expanded, the most allowed"));
}

TEST(Expand, NoEnvironmentUsesTheProcess) {
  ASSERT_EQ(setenv("SLUICE_SPEC_TEST", "from_process", 1), 0);
  const auto parsed = parse_spec_text(testing::with_node("name: ${SLUICE_SPEC_TEST}"));
  EXPECT_EQ(parsed.spec.name, "from_process");
}

}  // namespace
}  // namespace sluice
