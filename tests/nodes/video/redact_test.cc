#include "framework/core/redact.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(RedactUrl, HidesPasswordsOfAddresses) {
  EXPECT_EQ(redact_url("rtsp://ann:secret@host:554/x"), "rtsp://ann:***@host:554/x");
  EXPECT_EQ(redact_url("rtsp://ann:p@ss/w?rd@host/x"), "rtsp://ann:***@host/x");
  EXPECT_EQ(redact_url("rtsp://ann:it's<a>\"secret\"@host/x"), "rtsp://ann:***@host/x");
  EXPECT_EQ(redact_url("'rtsp://ann:it's@host/x' failed"), "'rtsp://ann:***@host/x' failed");
  EXPECT_EQ(redact_url("'rtsp://ann:'@host/x' failed"), "'rtsp://ann:***@host/x' failed");
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

TEST(RedactUrl, HidesPasswordsOfAddressesWithATypingError) {
  EXPECT_EQ(redact_url("http:/joe:secret@h/cam"), "http:/joe:***@h/cam");
  EXPECT_EQ(redact_url("rtsp:joe:secret@h/cam"), "rtsp:joe:***@h/cam");
  EXPECT_EQ(redact_url("rtsp//joe:secret@h/cam"), "rtsp//joe:***@h/cam");
  EXPECT_EQ(redact_url("RTSP:/token@h/cam"), "RTSP:/***@h/cam");
  EXPECT_EQ(redact_url("joe:secret@h/cam"), "joe:***@h/cam");
  EXPECT_EQ(redact_url("joe:se:c@r/et@h"), "joe:***@h");
  EXPECT_EQ(redact_url("//joe:12@h:554/cam"), "//joe:***@h:554/cam");
  EXPECT_EQ(redact_url("'/day/x/http:/joe:secret@h/cam' is not there"),
            "'/day/x/http:***@h/cam' is not there");
  EXPECT_EQ(redact_url("x.yaml:3:5: error: 'joe:secret@h'"), "x.yaml:3:5: error: 'joe:***@h'");
  EXPECT_EQ(redact_url("--set camera.uri=joe:secret@h"), "--set camera.uri=joe:***@h");
}

TEST(RedactUrl, HidesSecretSettings) {
  EXPECT_EQ(redact_url("gst:rtspsrc location=rtsp://h user-id=joe user-pw=secret ! x"),
            "gst:rtspsrc location=rtsp://h user-id=joe user-pw=*** ! x");
  EXPECT_EQ(redact_url("'x user-pw = \"se cret\" y', 'user-pw=secret'"),
            "'x user-pw = \"***\" y', 'user-pw=***'");
  EXPECT_EQ(redact_url("--set out.Password=secret"), "--set out.Password=***");
}

TEST(RedactUrl, IsTheSameTwice) {
  for (const char* text : {"rtsp://a:b@h/x?token=abc&n=1", "rtsp:a:b@h", "a:b@h", "user-pw=secret"}) {
    const std::string once = redact_url(text);
    EXPECT_EQ(redact_url(once), once);
  }
}

TEST(RedactUrl, LeavesTheRestAlone) {
  for (const char* same : {"",
                           "movie.mp4",
                           "rtsp://host/x",
                           "a@b:c",
                           "http://",
                           "x://?",
                           "=",
                           " = ",
                           "token_file=x y",
                           "rtsp://joe:@h",
                           "http://h?password=&n=1",
                           "user-pw=",
                           "k.yaml:3:5: error: write to ann@x",
                           "host:80/x?mail=a@b",
                           "key=1, pass=2",
                           "12:30 ann@x",
                           "file:a@b.mp4",
                           "@",
                           ":@",
                           "a@"})
    EXPECT_EQ(redact_url(same), same);
}

}  // namespace
}  // namespace sluice
