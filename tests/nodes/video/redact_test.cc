#include "framework/core/redact.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(RedactUrl, HidesPasswordsOfAddresses) {
  EXPECT_EQ(redact_url("rtsp://ann:secret@host:554/x"), "rtsp://ann:***@host:554/x");
  EXPECT_EQ(redact_url("rtsp://ann:p@ss/w?rd@host/x"), "rtsp://ann:***@host/x");
  EXPECT_EQ(redact_url("http://token@host/x"), "http://***@host/x");
  EXPECT_EQ(redact_url("http://host/a@b"), "http://host/a@b");
  EXPECT_EQ(redact_url("http://host:80/x?mail=a@b"), "http://host:80/x?mail=a@b");
}

TEST(RedactUrl, HidesSecretsOfQueries) {
  EXPECT_EQ(redact_url("http://h/x?user=ann&password=abc&n=1"), "http://h/x?user=ann&password=***&n=1");
  EXPECT_EQ(redact_url("http://h?token=abc"), "http://h?token=***");
  EXPECT_EQ(redact_url("http://h/x?Api_Key=abc#top"), "http://h/x?Api_Key=***#top");
  EXPECT_EQ(redact_url("http://h/x?channel=1&"), "http://h/x?channel=1&");
}

TEST(RedactUrl, WorksInsideASentence) {
  EXPECT_EQ(redact_url("'rtsp://a:b@h/x' failed, then http://c:d@e did"),
            "'rtsp://a:***@h/x' failed, then http://c:***@e did");
}

TEST(RedactUrl, LeavesTheRestAlone) {
  for (const char* same : {"", "movie.mp4", "rtsp://host/x", "a@b:c", "http://", "x://?"})
    EXPECT_EQ(redact_url(same), same);
}

}  // namespace
}  // namespace sluice
