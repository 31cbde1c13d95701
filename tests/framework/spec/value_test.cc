#include <gtest/gtest.h>

#include "tests/framework/spec/spec_testing.h"

namespace sluice {
namespace {

std::string described(std::string_view text) {
  const auto value = parse_value(text);
  return value.ok() ? describe(*value) : "error: " + value.status().message();
}

TEST(ParseValue, Scalars) {
  EXPECT_EQ(described("3"), "3");
  EXPECT_EQ(described(" 0.70 "), "0.7");
  EXPECT_EQ(described("1.0"), "1.0");  // as far as possible as it stands there: no whole number
  EXPECT_EQ(described("1e3"), "1000.0");
  EXPECT_EQ(described("true"), "true");
  EXPECT_EQ(described("'3'"), "the text '3'");
  EXPECT_EQ(described("\"a\\tb\""), "the text 'a\\x09b'");
  EXPECT_EQ(described(""), "empty");
  EXPECT_EQ(described("''"), "an empty text");
}

// On a command line these are texts; read as YAML they would be comments, aliases, maps or lists.
TEST(ParseValue, PlainTextIsTakenAsItIs) {
  for (const auto* text :
       {"a #1", "*.png", "&x", "a: b", "- x", "rtsp://cam/1", "v4l2:/dev/video0", "%05d.png", "@x",
        "gst:videotestsrc ! appsink", "|", "a, b", "${NAME}", "a$$b", "? x", "--- x"}) {
    const auto value = parse_value(text);
    ASSERT_TRUE(value.ok()) << text;
    EXPECT_EQ(*value->text(), text);
  }
}

TEST(ParseValue, FlowCollections) {
  const auto list = parse_value("[a, 2, {b: 0.5}]");
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->list()->size(), 3u);
  EXPECT_EQ(std::get<double>((*list->list())[2].find("b")->data), 0.5);
  EXPECT_EQ(described("{max: 1}"), "a map");
}

TEST(ParseValue, SameChecksAsAFile) {
  EXPECT_EQ(described(".nan"), "error: the value '.nan' is not finite; only finite numbers are allowed");
  EXPECT_EQ(described("{a: 1, a: 2}"), "error: key 'a' is written twice, first at 1:2");
  EXPECT_EQ(described("[1] x"), "error: text after the end of the document, allowed: one document");
  EXPECT_EQ(described(std::string_view("a\0", 2)), "error: a NUL byte, which no pipeline file may contain");
  EXPECT_EQ(described("\xff"), "error: the byte 0xff is not valid UTF-8, the only encoding allowed");
  EXPECT_EQ(described("[1, 2").substr(0, 23), "error: not valid YAML: ");
}

TEST(Describe, Values) {
  EXPECT_EQ(describe(Value{Value::List{}, {}}), "a list");
  EXPECT_EQ(describe(Value{1e30, {}}), "1e+30");
  EXPECT_EQ(describe(Value{std::string("x"), {}}), "the text 'x'");
}

TEST(Value, FindLooksIntoMapsOnly) {
  const auto map = parse_value("{a: 1}");
  EXPECT_NE(map->find("a"), nullptr);
  EXPECT_EQ(map->find("b"), nullptr);
  EXPECT_EQ(Value{}.find("a"), nullptr);
}

}  // namespace
}  // namespace sluice
