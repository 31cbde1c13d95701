#include "framework/core/suggest.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace sluice {
namespace {

TEST(Suggest, Distance) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("leterbox", "letterbox"), 1u);
  EXPECT_EQ(edit_distance("nodse", "nodes"), 1u);  // a swap
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("PATH", "path"), 0u);
}

TEST(Suggest, NearestIsASlipNotAnotherWord) {
  const std::array<std::string_view, 3> fits = {"stretch", "letterbox", "crop"};
  EXPECT_EQ(nearest("leterbox", fits), "letterbox");
  EXPECT_EQ(nearest("LETTERBOX", fits), "letterbox");
  EXPECT_EQ(nearest("zoom", fits), "");
  EXPECT_EQ(nearest("", fits), "");
  const std::array<std::string_view, 2> single = {"x", "y"};
  EXPECT_EQ(nearest("z", single), "");  // nothing of the word is left
}

TEST(Suggest, Sentences) {
  const std::vector<std::string> fits = {"stretch", "letterbox", "crop"};
  EXPECT_EQ(allowed("leterbox", fits), ", allowed: stretch, letterbox, crop; did you mean 'letterbox'?");
  EXPECT_EQ(allowed("zoom", fits), ", allowed: stretch, letterbox, crop");
  EXPECT_EQ(did_you_mean("crpo", fits), "; did you mean 'crop'?");
  EXPECT_EQ(did_you_mean("zoom", fits), "");
}

TEST(Suggest, QuotesStayOnOneLine) {
  EXPECT_EQ(in_quotes("a\nb\x7f"), "'a\\x0ab\\x7f'");
  EXPECT_EQ(in_quotes("größe"), "'größe'");
  EXPECT_EQ(in_quotes(std::string(100, 'x')), "'" + std::string(60, 'x') + "...'");
  EXPECT_EQ(in_quotes(std::string(59, 'x') + "äää"),
            "'" + std::string(59, 'x') + "...'");  // no half character
}

TEST(Suggest, NamesOfFilesStayWhole) {
  const std::string long_name = "/folder/" + std::string(200, 'x') + "/model.onnx";
  EXPECT_EQ(path_in_quotes(long_name), "'" + long_name + "'");
  EXPECT_EQ(path_in_quotes("a\nb"), "'a\\x0ab'");
  EXPECT_EQ(path_in_quotes(std::string(5000, 'x')), "'" + std::string(4096, 'x') + "...'");
}

TEST(Suggest, QuotesHidePasswords) {
  EXPECT_EQ(in_quotes("rtsp://ann:secret@host/x"), "'rtsp://ann:***@host/x'");
  EXPECT_EQ(path_in_quotes("rtsp://ann:secret@host/x"), "'rtsp://ann:***@host/x'");
}

}  // namespace
}  // namespace sluice
