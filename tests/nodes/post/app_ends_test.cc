#include "nodes/app_ends.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "nodes/post_nodes.h"
#include "tests/nodes/fake_context.h"

namespace sluice {
namespace {

using namespace sluice::testing;
using ::testing::HasSubstr;

class FakeSource : public SourceContext {
 public:
  ManualClock time;
  bool empty = false;

  const Options& options() const override { return options_; }
  const Clock& clock() const override { return time; }
  bool stopping() const override { return false; }
  Result<Packet> make_image(const ImageType& type) override {
    if (empty) return pool_empty();
    return make_picture(type);
  }
  Result<Packet> make() override { return pool_empty(); }
  Result<BufferRef> acquire_buffer(std::size_t) override { return pool_empty(); }
  void corrupt() override {}
  void reconnected() override {}
  Status format_changed(const ImageType&) override { return {}; }

 private:
  Options options_;
};

class AppSourceTest : public ::testing::Test {
 protected:
  void open(const char* format = "bgr") {
    options_ =
        options_of<AppSource>({{"width", integer(4)}, {"height", integer(2)}, {"format", text(format)}});
    OpenSetup setup(options_);
    const auto info = source_.probe(setup.context());
    ASSERT_TRUE(info.ok()) << info.status().message();
    info_ = *info;
    ASSERT_TRUE(source_.begin_run().ok());
  }
  void connect() {
    source_.connect(feed_, [this](Result<Capture> capture) {
      if (!capture.ok()) {
        ended_ = capture.status().code() == Code::kEndOfStream;
        return capture.status();
      }
      captures_.push_back(std::move(capture).value());
      return answer_;
    });
  }
  Frame frame() const {
    Frame f;
    f.format = PixelFormat::kBgr;
    f.width = 4;
    f.height = 2;
    f.planes[0] = pixels_.data();
    f.strides[0] = 16;
    return f;
  }

  std::vector<std::uint8_t> pixels_ = std::vector<std::uint8_t>(32, 7);
  OptionsPtr options_;
  SourceInfo info_;
  FakeSource feed_;
  AppSource source_;
  Status answer_;
  bool ended_ = false;
  std::vector<Capture> captures_;
};

TEST_F(AppSourceTest, TellsItsTypeBeforeTheFirstFrame) {
  open("nv12");
  EXPECT_EQ(info_.type.format, PixelFormat::kNv12);
  EXPECT_EQ(info_.type.width, 4);
  EXPECT_TRUE(info_.live);
  EXPECT_FALSE(source_.next(feed_).ok());
}

TEST_F(AppSourceTest, CopiesThePixelsAndTakesTheTimes) {
  open();
  connect();
  pixels_[16 + 3] = 99;  // second row, second pixel
  feed_.time.advance_to(from_ms(500));
  Frame f = frame();
  f.age_ms = 20;
  ASSERT_TRUE(source_.push(f).ok());
  pixels_.assign(32, 0);
  feed_.time.advance_to(from_ms(540));
  ASSERT_TRUE(source_.push(frame()).ok());
  f.media_time_ms = 1234;
  ASSERT_TRUE(source_.push(f).ok());
  ASSERT_EQ(captures_.size(), 3U);
  const Image& image = *captures_[0].packet.get<Image>();
  EXPECT_EQ(image.planes[0][0], 7);
  EXPECT_EQ(image.planes[0][image.strides[0] + 3], 99);
  EXPECT_EQ(captures_[0].captured, from_ms(480));
  EXPECT_EQ(captures_[0].media_time, 0);
  EXPECT_EQ(captures_[1].media_time, from_ms(60));
  EXPECT_EQ(captures_[2].media_time, from_ms(1234));
}

TEST_F(AppSourceTest, HandsBackOverloadAndEmptyPools) {
  open();
  connect();
  answer_ = Status(Code::kPoolEmpty, "overload");
  EXPECT_EQ(source_.push(frame()).message(), "overload");
  feed_.empty = true;
  EXPECT_EQ(source_.push(frame()).code(), Code::kPoolEmpty);
  EXPECT_EQ(captures_.size(), 1U);
}

TEST_F(AppSourceTest, RefusesFramesThatWereNotDeclared) {
  open();
  connect();
  Frame f = frame();
  f.width = 5;
  EXPECT_EQ(source_.push(f).message(),
            "a frame of 5x2 bgr was pushed, but app_source was declared as 4x2 bgr");
  f = frame();
  f.strides[0] = 11;
  EXPECT_EQ(source_.push(f).message(),
            "plane 0 of a pushed frame is given with a stride of 11 bytes, its rows have 12");
  f = frame();
  f.planes[0] = nullptr;
  EXPECT_THAT(source_.push(f).message(), HasSubstr("plane 0 of a pushed frame is null"));
  EXPECT_TRUE(captures_.empty());
}

TEST_F(AppSourceTest, EndsOnceAndTakesNothingBeforeAndAfter) {
  EXPECT_EQ(source_.push(frame()).message(), "a frame was pushed before start()");
  open();
  connect();
  source_.close_stream();
  EXPECT_TRUE(ended_);
  ended_ = false;
  source_.close_stream();
  EXPECT_FALSE(ended_);
  EXPECT_EQ(source_.push(frame()).message(), "a frame was pushed after close()");
  ASSERT_TRUE(source_.close().ok());
  EXPECT_EQ(source_.push(frame()).code(), Code::kCancelled);
}

TEST_F(AppSourceTest, APushThatComesTooEarlyWaitsForTheRun) {
  open();
  auto pushed = std::async(std::launch::async, [this] { return source_.push(frame()); });
  connect();
  EXPECT_TRUE(pushed.get().ok());
  AppSource other;
  OpenSetup setup(options_);
  ASSERT_TRUE(other.probe(setup.context()).ok());
  EXPECT_EQ(other.push(frame()).message(), "a frame was pushed before start()") << "the probe is no start";
  ASSERT_TRUE(other.begin_run().ok());
  auto waiting = std::async(std::launch::async, [&] { return other.push(frame()); });
  ASSERT_TRUE(other.close().ok());
  EXPECT_EQ(waiting.get().code(), Code::kCancelled);
}

// As an app_sink's callback does, which the waiting push's room may depend on.
TEST_F(AppSourceTest, ClosesBesideAPushThatWaitsForRoomAndTellsTheEndAfterIt) {
  open();
  std::promise<void> inside, room;
  std::vector<std::string> told;
  source_.connect(feed_, [&](const Result<Capture>& capture) -> Status {
    told.emplace_back(capture.ok() ? "frame" : capture.status().message());
    if (!capture.ok()) return {};
    inside.set_value();
    room.get_future().wait();  // lossless: no credit
    return {};
  });
  auto pushed = std::async(std::launch::async, [this] { return source_.push(frame()); });
  inside.get_future().wait();
  auto next = std::async(std::launch::async, [this] { return source_.push(frame()); });
  source_.close_stream();
  EXPECT_EQ(next.get().message(), "a frame was pushed after close()");
  EXPECT_EQ(source_.push(frame()).message(), "a frame was pushed after close()");
  EXPECT_EQ(told.size(), 1U);
  room.set_value();
  EXPECT_TRUE(pushed.get().ok());
  source_.close_stream();
  EXPECT_THAT(told, ::testing::ElementsAre("frame", end_of_stream().message()));
}

TEST_F(AppSourceTest, DisconnectWaitsForThePushUnderWay) {
  open();
  std::promise<void> inside, room;
  std::atomic<bool> returned = false;
  source_.connect(feed_, [&](Result<Capture>) {
    inside.set_value();
    room.get_future().wait();  // lossless: no credit
    returned = true;
    return cancelled("the run is over");
  });
  auto pushed = std::async(std::launch::async, [this] { return source_.push(frame()); });
  inside.get_future().wait();
  auto gone = std::async(std::launch::async, [&] {
    source_.disconnect();
    return returned.load();
  });
  room.set_value();
  EXPECT_TRUE(gone.get());
  EXPECT_EQ(pushed.get().code(), Code::kCancelled);
}

TEST(AppSink, GivesEachPacketToTheApplication) {
  AppSink sink;
  EXPECT_EQ(sink.open(OpenContext{}).message(), "app_sink has no callback: call on_packet() before start()");
  std::vector<std::uint64_t> numbers;
  ASSERT_TRUE(sink.on_packet([&](const Packet& packet) { numbers.push_back(packet.frame().number); }).ok());
  ASSERT_TRUE(sink.open(OpenContext{}).ok());
  const Status late = sink.on_packet([](const Packet&) { FAIL() << "set while frames may be inside"; });
  EXPECT_EQ(late.code(), Code::kInvalid);
  EXPECT_EQ(late.message(),
            "on_packet() was called after start(): app_sink keeps the callback it has; set it before");
  FakeContext context;
  FrameInfo frame;
  frame.number = 5;
  context.set_input(0, {make_packet(Detections{}, frame), make_packet(Detections{}, frame)});
  ASSERT_TRUE(sink.process(context).ok());
  EXPECT_THAT(numbers, ::testing::ElementsAre(5, 5));
}

TEST(AppEnds, AreFoundBehindTheNodeInterface) {
  Registry registry;
  ASSERT_TRUE(register_post_nodes(registry).ok());
  EXPECT_TRUE(dynamic_cast<AppSource*>(registry.find("app_source")->create().value().get()));
  EXPECT_TRUE(dynamic_cast<AppSink*>(registry.find("app_sink")->create().value().get()));
}

}  // namespace
}  // namespace sluice
