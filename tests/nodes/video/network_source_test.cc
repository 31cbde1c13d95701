// video_source on HTTP streams: a small server on 127.0.0.1 plays the camera.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "nodes/video_nodes.h"
#include "tests/nodes/fake_source.h"
#include "tests/nodes/video/media.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace sluice::testing;

// One connection after another; `answer` gets the socket and the connection's number, and is served in the
// server's thread.
class Server {
 public:
  using Answer = std::function<void(Server&, int socket, int connection)>;

  explicit Server(Answer answer) : answer_(std::move(answer)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    socklen_t size = sizeof address;
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    EXPECT_EQ(::listen(listener_, 8), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    {
      std::lock_guard lock(mutex_);
      closing_ = true;
    }
    closed_.notify_all();
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }

  std::string uri(const std::string& user = "", const std::string& path = "/cam") const {
    return "http://" + user + "127.0.0.1:" + std::to_string(port_) + path;
  }
  void send(int socket, const std::string& text) {
    for (std::size_t at = 0; at < text.size();) {
      const ssize_t n = ::send(socket, text.data() + at, text.size() - at, MSG_NOSIGNAL);
      if (n <= 0) return;
      at += static_cast<std::size_t>(n);
    }
  }
  // Says nothing more until the test ends.
  void stall() {
    std::unique_lock lock(mutex_);
    closed_.wait(lock, [this] { return closing_; });
  }

 private:
  void serve() {
    for (int connection = 0;; ++connection) {
      const int socket = ::accept(listener_, nullptr, nullptr);
      if (socket < 0) return;
      char request[2048];
      if (::recv(socket, request, sizeof request, 0) > 0) answer_(*this, socket, connection);
      ::close(socket);
    }
  }

  Answer answer_;
  int listener_ = -1;
  int port_ = 0;
  std::mutex mutex_;
  std::condition_variable closed_;
  bool closing_ = false;
  std::thread thread_;
};

std::string jpeg(int width) {
  const std::string size = std::to_string(width) + "x64";
  const auto bytes =
      read_file(make_media(size + ".jpg", "-f lavfi -i testsrc2=s=" + size + ":d=1 -frames:v 1"));
  return {bytes.begin(), bytes.end()};
}

const char* kMultipart = "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n";

std::string part(int width = 96) {
  const std::string picture = jpeg(width);
  return "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: " + std::to_string(picture.size()) +
         "\r\n\r\n" + picture + "\r\n";
}

FakeSource open_stream(const std::string& uri, OptionMap more = {}) {
  more["uri"] = text(uri);
  return FakeSource(video_source_declaration(), std::move(more), 12);
}

TEST(NetworkSource, AMultipartStreamIsLive) {
  Server server([](Server& s, int socket, int) {
    s.send(socket, kMultipart);
    for (int i = 0; i < 5; ++i) s.send(socket, part());
    s.stall();
  });
  FakeSource source = open_stream(server.uri(), {{"timeout_ms", integer(3000)}, {"reconnect", flag(false)}});
  const Result<SourceInfo> info = source.probe();
  ASSERT_TRUE(info.ok()) << info.status().message();
  EXPECT_TRUE(info->live);
  EXPECT_EQ(info->type.width, 96);
  EXPECT_EQ(info->type.color.range, ColorRange::kFull);
  int pictures = 0;
  const Status end = source.run([&](const Capture&) { ++pictures; });
  EXPECT_GE(pictures, 4);  // the demuxer needs the next part's head to end one
  EXPECT_EQ(end.code(), Code::kTimeout);
  EXPECT_THAT(end.message(), AllOf(HasSubstr("3000 ms"), HasSubstr("timeout_ms")));
}

// libavformat stamps its pictures 25 times a second, however they come.
TEST(NetworkSource, AMultipartStreamHasTheTimesAtWhichItsPicturesCome) {
  Server server([](Server& s, int socket, int) {
    s.send(socket, kMultipart);
    for (int i = 0; i < 8; ++i) s.send(socket, part());
    s.stall();
  });
  FakeSource source = open_stream(server.uri());
  const Result<SourceInfo> info = source.probe();
  ASSERT_TRUE(info.ok()) << info.status().message();
  EXPECT_EQ(info->fps, 0) << "unknown";
  for (int n = 0; n < 6; ++n) {
    const Result<Capture> capture = source.next();
    ASSERT_TRUE(capture.ok()) << capture.status().message();
    EXPECT_EQ(capture->media_time, n * from_ms(200));
    source.time.advance_to((n + 1) * from_ms(200));
  }
}

TEST(NetworkSource, AServerThatNeverAnswersTimesOutAtTheProbe) {
  Server server([](Server& s, int, int) { s.stall(); });
  FakeSource source = open_stream(server.uri("ann:secret@"), {{"timeout_ms", integer(200)}});
  const auto start = std::chrono::steady_clock::now();
  const Status status = source.probe().status();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(3));
  EXPECT_EQ(status.code(), Code::kTimeout);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("did not answer within 200 ms"), HasSubstr("ann:***@"),
                                      Not(HasSubstr("secret"))));
}

TEST(NetworkSource, SaysWhenNobodyListensAndWhenItIsNotFound) {
  EXPECT_THAT(open_stream("http://127.0.0.1:1/x").probe().status().message(),
              HasSubstr("Connection refused"));
  Server server([](Server& s, int socket, int) { s.send(socket, "HTTP/1.0 404 Not Found\r\n\r\n"); });
  EXPECT_THAT(open_stream(server.uri()).probe().status().message(), HasSubstr("404"));
}

TEST(NetworkSource, ConnectsAgainAndTimeGoesOn) {
  Server server([](Server& s, int socket, int) {
    s.send(socket, kMultipart);
    for (int i = 0; i < 4; ++i) s.send(socket, part());
  });
  LogCatcher log;
  FakeSource source = open_stream(server.uri("ann:secret@"));
  ASSERT_TRUE(source.probe().ok());
  TimeNs last = -1;
  for (int n = 0; n < 12; ++n) {
    const Result<Capture> capture = source.next();
    ASSERT_TRUE(capture.ok()) << capture.status().message();
    EXPECT_GT(capture->media_time, last);
    last = capture->media_time;
  }
  EXPECT_GE(source.reconnects, 2);
  EXPECT_THAT(log.text(), AllOf(HasSubstr("connecting again"), Not(HasSubstr("secret"))));
}

TEST(NetworkSource, AnotherSizeAfterReconnectingIsAnnounced) {
  Server server([](Server& s, int socket, int connection) {
    s.send(socket, kMultipart);
    for (int i = 0; i < 4; ++i) s.send(socket, part(connection == 0 ? 96 : 160));
  });
  FakeSource source = open_stream(server.uri());
  ASSERT_TRUE(source.probe().ok());
  int width = 0;
  for (int n = 0; n < 6 && width != 160; ++n) {
    const Result<Capture> capture = source.next();
    ASSERT_TRUE(capture.ok()) << capture.status().message();
    width = capture->packet.get<Image>()->type.width;
  }
  EXPECT_EQ(width, 160);
  ASSERT_EQ(source.changes.size(), 1u);
  EXPECT_EQ(source.changes[0].type.width, 160);
  EXPECT_TRUE(source.changes[0].live);
}

TEST(NetworkSource, IsInterruptedWhileItWaits) {
  std::atomic<bool> quiet{false};
  Server server([&](Server& s, int socket, int) {
    s.send(socket, kMultipart);
    for (int i = 0; i < 4; ++i) s.send(socket, part());
    quiet = true;
    s.stall();
  });
  FakeSource source = open_stream(server.uri(), {{"timeout_ms", integer(60'000)}});
  ASSERT_TRUE(source.probe().ok());
  std::thread reader([&] {
    Status end;
    do end = source.next().status();
    while (end.ok());
    EXPECT_EQ(end.code(), Code::kCancelled) << end.message();
  });
  while (!quiet) std::this_thread::yield();
  source.node().interrupt();
  reader.join();
}

// Such a picture ends a file too; the network is not to blame, and will not change it.
TEST(NetworkSource, ATooLargePictureAfterReconnectingEndsTheSource) {
  Server server([](Server& s, int socket, int connection) {
    s.send(socket, kMultipart);
    for (int i = 0; i < 4; ++i) s.send(socket, part(connection == 0 ? 96 : 160));
  });
  FakeSource source = open_stream(server.uri(), {{"max_width", integer(96)}});
  ASSERT_TRUE(source.probe().ok());
  const Status end = source.run([](const Capture&) {});
  EXPECT_EQ(end.code(), Code::kFailed);
  EXPECT_THAT(end.message(), AllOf(HasSubstr("160x64"), HasSubstr("max_width")));
}

TEST(NetworkSource, SaysWhyItCannotConnectAgain) {
  Server server([](Server& s, int socket, int connection) {
    if (connection == 1) return s.send(socket, "HTTP/1.0 503 Busy\r\n\r\n");
    s.send(socket, kMultipart);
    for (int i = 0; i < 4; ++i) s.send(socket, part());
  });
  LogCatcher log;
  FakeSource source = open_stream(server.uri());
  ASSERT_TRUE(source.probe().ok());
  while (source.reconnects == 0) ASSERT_TRUE(source.next().ok());
  EXPECT_THAT(log.text(), HasSubstr("Server returned 5XX"));
}

// RFC 9112, 6.3: the end is where the server closes.
TEST(NetworkSource, AnAnswerWithoutALengthEndsWhereTheServerCloses) {
  const auto bytes = read_file(make_media("net.ts", "-i '" + small_video() + "' -c copy"));
  Server server([&](Server& s, int socket, int) {
    s.send(socket, "HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nConnection: close\r\n\r\n" +
                       std::string(bytes.begin(), bytes.end()));
  });
  FakeSource source = open_stream(server.uri("", "/net.ts"));
  ASSERT_TRUE(source.probe().ok());
  int pictures = 0;
  const Status end = source.run([&](const Capture&) { ++pictures; });
  EXPECT_EQ(end.code(), Code::kEndOfStream) << end.message();
  EXPECT_EQ(pictures, 30);
}

// The read that is interrupted may still give a part of a picture; the next one is asked in vain.
TEST(NetworkSource, AFileThatStallsTimesOutInOurWords) {
  for (const std::string name : {"net.ts", "net.hevc"}) {
    SCOPED_TRACE(name);
    const std::string codec =
        name == "net.ts" ? "-c copy" : "-c:v libx265 -x265-params log-level=error:pools=1";
    const auto bytes = read_file(make_media(name, "-i '" + small_video() + "' " + codec));
    Server server([&](Server& s, int socket, int) {
      s.send(socket, "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(bytes.size()) + "\r\n\r\n" +
                         std::string(bytes.begin(), bytes.end() - 2000));
      s.stall();
    });
    FakeSource source = open_stream(server.uri("", "/" + name), {{"timeout_ms", integer(1000)}});
    ASSERT_TRUE(source.probe().ok());
    const Status end = source.run([](const Capture&) {});
    EXPECT_EQ(end.code(), Code::kTimeout);
    EXPECT_THAT(end.message(), HasSubstr("did not answer within 1000 ms"));
  }
}

TEST(NetworkSource, SaysWhereTheAddressPromisesSomethingElse) {
  const auto bytes = read_file(make_media("net.ts", "-i '" + small_video() + "' -c copy"));
  Server file([&](Server& s, int socket, int) {
    s.send(socket, "HTTP/1.0 200 OK\r\nContent-Length: " + std::to_string(bytes.size()) + "\r\n\r\n" +
                       std::string(bytes.begin(), bytes.end()));
  });
  Server camera([](Server& s, int socket, int) {
    s.send(socket, kMultipart);
    for (int i = 0; i < 4; ++i) s.send(socket, part());
  });
  const auto said_of = [](const std::string& uri) {
    LogCatcher log;
    EXPECT_TRUE(open_stream(uri).probe().ok());
    return log.text();
  };
  EXPECT_THAT(said_of(file.uri()), HasSubstr("is a file, not a live stream"));
  EXPECT_THAT(said_of(camera.uri("", "/now.mp4")), HasSubstr("is a live stream, but its address looks like"));
  EXPECT_THAT(said_of(file.uri("", "/net.ts")), Not(HasSubstr("live stream")));
  EXPECT_THAT(said_of(camera.uri()), Not(HasSubstr("live stream")));
}

TEST(NetworkSource, AVideoFileOverHttpIsNotLive) {
  const auto bytes = read_file(make_media("net.ts", "-i '" + small_video() + "' -c copy"));
  Server server([&](Server& s, int socket, int) {
    s.send(socket, "HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\nContent-Length: " +
                       std::to_string(bytes.size()) + "\r\n\r\n" + std::string(bytes.begin(), bytes.end()));
  });
  FakeSource source = open_stream(server.uri());
  const Result<SourceInfo> info = source.probe();
  ASSERT_TRUE(info.ok()) << info.status().message();
  EXPECT_FALSE(info->live);
  int pictures = 0;
  EXPECT_EQ(source.run([&](const Capture&) { ++pictures; }).code(), Code::kEndOfStream);
  EXPECT_EQ(pictures, 30);
}

}  // namespace
}  // namespace sluice
