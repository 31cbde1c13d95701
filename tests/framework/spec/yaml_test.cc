#include "framework/spec/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "framework/spec/bytes.h"
#include "tests/framework/spec/spec_testing.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::issues_of;
using ::testing::StartsWith;
using testing::with_node;

TEST(Yaml, SyntaxErrorsNameThePlace) {
  EXPECT_THAT(issues_of("version: 1\nnodes: [a, b"), ElementsAre(StartsWith("2:13: not valid YAML: ")));
  EXPECT_THAT(issues_of("version: 1\n  a: b: c\n"), ElementsAre(StartsWith("2:4: not valid YAML: ")));
  EXPECT_THAT(issues_of("a: 'x"), ElementsAre(StartsWith("1:6: not valid YAML: ")));
  EXPECT_THAT(issues_of("a: [b, 'x\n"), ElementsAre(HasSubstr("not valid YAML: ")));
  EXPECT_THAT(issues_of("a: \"\\q\""), ElementsAre(StartsWith("1:7: not valid YAML: ")));
  EXPECT_THAT(issues_of("a: %x\n\tb: 1"), ElementsAre(HasSubstr("not valid YAML: ")));
}

// yaml-cpp takes the rest of the file for the value when a line end stands before the end.
TEST(Yaml, QuotesThatAreNeverClosed) {
  const auto never = [](const char* place) {
    return std::string(place) + ": not valid YAML: the quote that opens here is never closed";
  };
  EXPECT_THAT(issues_of(with_node("name: \"demo\nflow: {}\n")), ElementsAre(never("3:7")));
  EXPECT_THAT(issues_of(with_node("name: 'de''mo\nflow: {}\n")), ElementsAre(never("3:7")));
  EXPECT_THAT(issues_of(with_node("name: \"demo\\\"\n")), ElementsAre(never("3:7")));
  EXPECT_THAT(issues_of(with_node("name: &n !!str 'demo\n")), ElementsAre(never("3:7")));
  EXPECT_THAT(issues_of(with_node("name: 'de''mo\n  \"x\" '\n")), ElementsAre());
  EXPECT_THAT(issues_of(with_node("name: \"de\\\"mo\n  ' \"\n")), ElementsAre());
}

TEST(Yaml, NulCharactersThatAreWrittenAsEscapes) {
  const auto* const nul = ": a NUL character, which no text of a pipeline file may contain";
  EXPECT_THAT(issues_of(with_node("name: \"a\\0b\"")), ElementsAre(std::string("3:7") + nul));
  EXPECT_THAT(issues_of(with_node("device: {\"telemetry\\x00\": none}")),
              ElementsAre(std::string("3:10") + nul));
}

TEST(Yaml, EmptyItemsStandAtTheirDash) {
  EXPECT_THAT(issues_of("version: 1\nnodes:\n  -\n  # a comment\n\n  - {id: a, type: t}\nflow: {}\n"),
              ElementsAre(StartsWith("3:3: node 1 is empty")));
  EXPECT_THAT(issues_of("version: 1\nnodes:\n  - {id: a, type: t}\n  -\nflow: {}\n"),
              ElementsAre(StartsWith("4:3: node 2 is empty")));
  EXPECT_THAT(issues_of("version: 1\nnodes:\n  - {id: a, type: t}\n  - ~\n"),
              ElementsAre(StartsWith("4:5: node 2 is empty")));
  EXPECT_THAT(issues_of("version: 1\nnodes: [{id: a, type: t}, ~]\n"),
              ElementsAre(StartsWith("2:27: node 2 is empty")));
}

TEST(Yaml, BracesOfVariablesNeedQuotesInsideFlowStyle) {
  EXPECT_THAT(
      issues_of(with_node("device: {profile: ${NAME}}")),
      ElementsAre(
          "3:20: not valid YAML: end of map flow not found; inside [...] and {...} '${...}' must stand in "
          "quotes, which make it a text: for a number write the list or map one entry per line"));
}

TEST(Yaml, NothingInIt) {
  const auto message = "1:1: there is nothing in it; a pipeline file is a map with 'version' and 'nodes'";
  for (const auto* text : {"", "\n \n", "# only a comment\n", "---\n", "~", "---\n...\n"}) {
    EXPECT_THAT(issues_of(text), ElementsAre(message)) << text;
  }
}

TEST(Yaml, OneDocument) {
  EXPECT_THAT(issues_of(with_node("---\nversion: 2")),
              ElementsAre("3:1: a second document starts here, allowed: one"));
  EXPECT_THAT(issues_of("---\n" + with_node("...\n")), ElementsAre());
  EXPECT_THAT(issues_of(with_node("...\nx")),
              ElementsAre("4:1: text after the end of the document, allowed: one document"));
}

TEST(Yaml, DuplicateKeys) {
  EXPECT_THAT(issues_of(with_node("device: {telemetry: none}\ndevice: {}")),
              ElementsAre("4:1: key 'device' is written twice, first at 3:1"));
  EXPECT_THAT(issues_of(with_node("device: {a: 1, 'a': 2, b: 3, a: 4}")),
              ElementsAre("3:16: key 'a' is written twice, first at 3:10",
                          "3:30: key 'a' is written twice, first at 3:10"));
}

TEST(Yaml, TheFirstOfDuplicatesCounts) {
  const auto parsed = testing::parse(with_node("device: {a: 1, b: 2, a: 3}"));
  ASSERT_EQ(parsed.spec.device.map()->size(), 2u);
  EXPECT_EQ(std::get<std::int64_t>(parsed.spec.device.find("a")->data), 1);
}

TEST(Yaml, MergeKeys) {
  EXPECT_THAT(issues_of(with_node("device: {<<: {a: 1}, b: 2}")),
              ElementsAre("3:10: merge keys ('<<') are not allowed; write the keys out"));
  EXPECT_THAT(issues_of(with_node("device: {'<<': 1}")), ElementsAre());
}

TEST(Yaml, KeysAreTexts) {
  EXPECT_THAT(issues_of(with_node("device: {[1]: 2}")), ElementsAre("3:10: a key is a list, must be a text"));
  EXPECT_THAT(issues_of(with_node("device: {{a: 1}: 2, b: 3}")),
              ElementsAre("3:10: a key is a map, must be a text"));
  EXPECT_THAT(issues_of(with_node("device: {~: 2}")), ElementsAre("3:10: a key is null, must be a text"));
  EXPECT_THAT(issues_of(with_node("device: {a: &x 1, *x : 2}")),
              ElementsAre("3:19: a key is an alias, must be a text"));
  EXPECT_NE(testing::parse(with_node("device: {12: 2, true: 3}")).spec.device.find("12"), nullptr);
}

TEST(Yaml, AKeyThatIsRefusedTakesItsValueAlong) {
  const auto parsed = testing::parse(with_node("device: {{a: [1]}: {c: 4}, b: 3}"));
  ASSERT_EQ(parsed.spec.device.map()->size(), 1u);
  EXPECT_EQ(std::get<std::int64_t>(parsed.spec.device.find("b")->data), 3);
}

TEST(Yaml, Tags) {
  EXPECT_THAT(
      issues_of(with_node("device: {a: !!float 3}")),
      ElementsAre("3:13: the tag 'tag:yaml.org,2002:float' is not allowed; only '!!str' has a meaning here"));
  EXPECT_THAT(issues_of(with_node("device: !x {a: !y [3]}")),
              ElementsAre("3:9: the tag '!x' is not allowed; only '!!str' has a meaning here",
                          "3:16: the tag '!y' is not allowed; only '!!str' has a meaning here"));
  EXPECT_EQ(*testing::parse(with_node("device: {a: !!str 3}")).spec.device.find("a")->text(), "3");
}

TEST(Yaml, QuotedScalarsAreTexts) {
  const auto parsed = testing::parse(with_node("device: {a: '3', b: \"true\", c: ''}\n"));
  EXPECT_EQ(*parsed.spec.device.find("a")->text(), "3");
  EXPECT_EQ(*parsed.spec.device.find("b")->text(), "true");
  EXPECT_EQ(*parsed.spec.device.find("c")->text(), "");
}

TEST(Yaml, AliasesAreCopiesWithTheirOwnPlace) {
  const auto parsed = testing::parse(with_node("device: {a: &x {b: 1}, c: *x}"));
  ASSERT_TRUE(parsed.ok());
  const Value* const copy = parsed.spec.device.find("c");
  EXPECT_EQ(std::get<std::int64_t>(copy->find("b")->data), 1);
  EXPECT_EQ(copy->mark.column, 27);
  EXPECT_EQ(copy->find("b")->mark.column, 20);
}

TEST(Yaml, UnknownAlias) {
  EXPECT_THAT(issues_of("a: *nothing"),
              ElementsAre(StartsWith("1:4: not valid YAML: the referenced anchor is not defined")));
}

TEST(Yaml, Cycles) {
  EXPECT_THAT(issues_of(with_node("device: &x {a: [*x]}")),
              ElementsAre("3:17: the alias '*x' stands inside the value it repeats (a cycle)"));
}

TEST(Yaml, AliasBomb) {
  std::string bomb = "a: &a [1,1,1,1,1,1,1,1,1,1]\n";
  for (char c = 'b'; c < 'k'; ++c) {
    const std::string last(1, static_cast<char>(c - 1));
    bomb += std::string(1, c) + ": &" + c + " [*" + last;
    for (int i = 0; i < 9; ++i) bomb += ",*" + last;
    bomb += "]\n";
  }
  EXPECT_THAT(
      issues_of(bomb),
      ElementsAre("4:29: more than 10,000 values (aliases count each time they are used), the most allowed"));
}

TEST(Yaml, BombOfLongTexts) {
  std::string bomb = "a: &a " + std::string(100'000, 'x') + "\nb: [";
  for (int i = 0; i < 5000; ++i) bomb += "*a,";
  EXPECT_THAT(
      issues_of(bomb + "]"),
      ElementsAre("2:32: more than 1 MiB of text once ${} and aliases are expanded, the most allowed"));
}

TEST(Yaml, ValuesAreCounted) {
  // The outer map, its list, and what is in it.
  const auto list = [](int n) {
    std::string text = "a: [";
    for (int i = 0; i < n; ++i) text += "1,";
    return text + "]";
  };
  EXPECT_TRUE(read_yaml(list(9998), nullptr).issues.empty());
  EXPECT_THAT(issues_of(list(9999)), ElementsAre(HasSubstr("more than 10,000 values")));
}

TEST(Yaml, Depth) {
  const auto nested = [](int n) {
    return std::string(static_cast<std::size_t>(n), '[') + std::string(static_cast<std::size_t>(n), ']');
  };
  EXPECT_TRUE(read_yaml(nested(64), nullptr).issues.empty());
  const auto message = "1:65: lists and maps are nested deeper than 64 levels, the most allowed";
  EXPECT_THAT(issues_of(nested(65)), ElementsAre(message));
  EXPECT_THAT(issues_of(std::string(200'000, '[')), ElementsAre(HasSubstr("nested deeper than 64 levels")));
  std::string dashes;
  for (int i = 0; i < 80'000; ++i) dashes += "- ";
  EXPECT_THAT(issues_of(dashes), ElementsAre(HasSubstr("nested deeper than 64 levels")));
}

TEST(Yaml, DepthThroughAliases) {
  std::string text = "a: &a [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n";
  text += "b: &b [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[*a]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\nc: [[[[*b]]]]\n";
  EXPECT_THAT(issues_of(text),
              ElementsAre("3:8: lists and maps are nested deeper than 64 levels, the most allowed"));
}

TEST(Yaml, AnEmptyValueIsPlacedAtItsKey) {
  EXPECT_THAT(issues_of(with_node("flow:\n  mode:\n\n# comment\nname: x")),
              ElementsAre("4:3: flow: 'mode' is empty, allowed: realtime, lossless"));
}

TEST(Yaml, ColumnsCountCharacters) {
  EXPECT_THAT(issues_of(with_node("device: {größe: .nan}")),
              ElementsAre("3:17: the value '.nan' is not finite; only finite numbers are allowed"));
}

TEST(Yaml, WrongValuesAndWrongKeysAreReportedTogetherInOrder) {
  EXPECT_THAT(
      issues_of("versoin: 1\nname: ${NO}\nnodes: {}\nflow: {mode: fast}\n"),
      ElementsAre(
          "1:1: unknown key 'versoin', allowed: version, name, models, nodes, flow, selector, backends, "
          "device; did you mean 'version'?",
          "1:1: key 'version' is missing; write 'version: 1'",
          "2:7: the environment variable 'NO' is not set; set it, or write ${NO:-default}",
          "3:8: 'nodes' is a map, must be a list with at least one node",
          "4:14: flow: 'mode' is 'fast', allowed: realtime, lossless"));
}

// 256 KiB of nodes: a hostile file costs no more than a large one. The bound is generous, for sanitizers.
TEST(Yaml, LargeFilesReadQuickly) {
  std::string text = "version: 1\nnodes:\n";
  for (int i = 0; text.size() < kMaxSpecBytes - 200; ++i) {
    text += "  - {id: n" + std::to_string(i) +
            ", type: preprocess, inputs: n, options: {uri: " + std::string(100, 'x') + "}}\n";
  }
  const auto start = std::chrono::steady_clock::now();
  const auto parsed = testing::parse(text);
  const auto elapsed = std::chrono::steady_clock::now() - start;
  EXPECT_TRUE(parsed.ok());
  RecordProperty("microseconds", static_cast<int>(elapsed / std::chrono::microseconds(1)));
  EXPECT_LT(elapsed, std::chrono::seconds(2));
}

}  // namespace
}  // namespace sluice
