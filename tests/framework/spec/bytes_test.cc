#include "framework/spec/bytes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/framework/spec/spec_testing.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::issues_of;
using namespace std::string_view_literals;
using namespace std::string_literals;

TEST(Bytes, RefusesNulAtItsPlace) {
  EXPECT_THAT(issues_of("version: 1\nna\0me: x"s),
              ElementsAre("2:3: a NUL byte, which no pipeline file may contain"));
}

TEST(Bytes, RefusesControlCharactersThatYamlCppTakesForTheEnd) {
  EXPECT_THAT(issues_of("version: 1\n# \x04"s),
              ElementsAre("2:3: the byte 0x04 is a control character, allowed: tab and line ends"));
  EXPECT_THAT(issues_of("a: \x7f"s), ElementsAre(HasSubstr("1:4: the byte 0x7f is a control character")));
  EXPECT_FALSE(check_bytes("a:\tb\r\n"));
}

TEST(Bytes, RefusesInvalidUtf8CountingCharactersNotBytes) {
  EXPECT_THAT(issues_of("nämé: \xff"s),
              ElementsAre("1:7: the byte 0xff is not valid UTF-8, the only encoding allowed"));
}

TEST(Bytes, KnowsWellFormedUtf8) {
  for (const auto good :
       {"\x7e"sv, "\u00e9"sv, "\u0800"sv, "\ud7ff"sv, "\ue000"sv, "\U00010000"sv, "\U0010ffff"sv}) {
    EXPECT_FALSE(first_invalid_utf8(good)) << good;
  }
  for (const auto bad :
       {"\x80"sv, "\xc0\x80"sv, "\xc1\xbf"sv, "\xc3"sv, "\xe0\x9f\xbf"sv, "\xed\xa0\x80"sv, "\xef\xbf"sv,
        "\xf0\x8f\xbf\xbf"sv, "\xf4\x90\x80\x80"sv, "\xf5\x80\x80\x80"sv, "\xfe\xff"sv}) {
    EXPECT_EQ(first_invalid_utf8("a" + std::string(bad)), 1u) << testing::issues_of(bad)[0];
  }
}

TEST(Bytes, RefusesMoreThan256KiB) {
  const std::string head = "version: 1\nnodes: [{id: a, type: null_sink}]\n#";
  EXPECT_TRUE(testing::parse(head + std::string(kMaxSpecBytes - head.size(), 'x')).ok());
  EXPECT_THAT(issues_of(head + std::string(kMaxSpecBytes - head.size() + 1, 'x')),
              ElementsAre("1:1: the text has more than 262144 bytes (256 KiB), the most allowed"));
}

TEST(Bytes, TakesAByteOrderMark) {
  EXPECT_THAT(
      issues_of("\xEF\xBB\xBF" + testing::with_node("nmae: x")),
      ElementsAre("3:1: unknown key 'nmae', allowed: version, name, models, nodes, flow, selector, backends, "
                  "device; did you mean 'name'?"));
}

}  // namespace
}  // namespace sluice
