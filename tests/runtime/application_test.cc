// What an application does with a pipeline that it feeds and reads itself (contract section 7), in the right
// order and in the wrong one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <clocale>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "framework/graph/source_feed.h"
#include "runtime/builtin.h"
#include "runtime/pipeline.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kWidth = 32, kHeight = 16;

class Picture {
 public:
  Frame frame() const {
    Frame out{.format = PixelFormat::kGray, .width = kWidth, .height = kHeight};
    out.planes[0] = pixels_.data();
    out.strides[0] = kWidth;
    return out;
  }

 private:
  std::array<std::uint8_t, kWidth * kHeight> pixels_{};
};

// An application: `live` or not, with `between` in the middle, and what came out of it.
class Application {
 public:
  explicit Application(bool live, const std::string& between = "type: rate_limit, options: {rate_hz: 100000}",
                       const Registry& registry = builtin_registry())
      : pipeline_(Pipeline::load("version: 1\nname: application\nnodes:\n"
                                 "  - {id: mine, type: app_source, options: {width: 32, height: 16, format: "
                                 "gray, live: " +
                                     std::string(live ? "true" : "false") +
                                     "}}\n  - {id: middle, inputs: mine, " + between +
                                     "}\n  - {id: out, type: app_sink, inputs: middle}\n",
                                 registry)) {
    EXPECT_TRUE(pipeline_.ok()) << pipeline_.status().message();
    EXPECT_TRUE(sink().on_packet([this](const Packet& p) { numbers_.push_back(p.frame().number); }).ok());
  }
  Pipeline& pipeline() { return *pipeline_; }
  AppSourceHandle source() { return pipeline_->app_source("mine"); }
  AppSinkHandle sink() { return pipeline_->app_sink("out"); }
  Status push(double media_ms) {
    Frame frame = picture_.frame();
    frame.media_time_ms = media_ms;
    return source().push(frame);
  }
  // Of the sink's thread; read after wait().
  const std::vector<std::uint64_t>& numbers() const { return numbers_; }

 private:
  Picture picture_;
  std::vector<std::uint64_t> numbers_;
  Result<Pipeline> pipeline_;
};

class Refuses final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Fails.");
    d.input("in", PortKind::kFrame);
    d.output("out", PortKind::kDetections);
  }
  Status process(Context&) override { throw std::runtime_error("not today"); }
};

// Names outputs that it does not have, in each way there is.
class Astray final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Names outputs that it does not have.");
    d.input("in", PortKind::kFrame);
    d.output("out", PortKind::kDetections);
  }
  Status process(Context& context) override {
    switch (context.frame().number) {
      case 0:
        return context.make(1).status();
      case 1:
        return context.make_image(2, {}).status();
      case 2:
        context.filter_port(64);
        return {};
      case 3: {
        SLUICE_ASSIGN(Packet packet, context.make());
        context.emit(5, std::move(packet));
        return {};
      }
      default:
        return pass_on(context);
    }
  }

 private:
  static Status pass_on(Context& context) {
    SLUICE_ASSIGN(Packet packet, context.make());
    context.emit(std::move(packet));
    return {};
  }
};

TEST(Application, ThatNamesAnOutputItsNodeLacksLosesTheFrameNotTheProgram) {
  Registry registry = builtin_registry();
  ASSERT_TRUE(registry.add<Astray>("astray").ok());
  Application app(false, "type: astray", registry);
  ASSERT_TRUE(app.pipeline().start().ok());
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(app.push(i).ok());
  app.source().close();
  EXPECT_TRUE(app.pipeline().wait().ok());
  EXPECT_THAT(app.numbers(), ElementsAre(4U, 5U));
  const RunReport report = app.pipeline().report();
  EXPECT_EQ(report.sources[0].dropped[static_cast<std::size_t>(DropReason::kFailed)], 4U);

  Application strict(false, "type: astray, on_error: stop", registry);
  ASSERT_TRUE(strict.pipeline().start().ok());
  ASSERT_TRUE(strict.push(0).ok());
  strict.source().close();
  EXPECT_THAT(strict.pipeline().wait().message(),
              HasSubstr("there is no output 1: the node declares 1, counted from 0"));
}

// Hands its picture on as what it found in it.
class Mislabels final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Emits a frame where it declares detections.");
    d.input("in", PortKind::kFrame);
    d.output("found", PortKind::kDetections);
  }
  Status process(Context& context) override {
    if (context.frame().number % 2 == 0) {
      context.emit(context.packet(0));
      return {};
    }
    SLUICE_ASSIGN(Packet packet, context.make());
    context.emit(std::move(packet));
    return {};
  }
};

// Declares a tensor of four numbers and makes it one of another type for every frame but the last.
class Reshapes final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Emits a tensor of another type than it declares.");
    d.input("in", PortKind::kFrame);
    d.output("numbers", PortKind::kTensor);
    d.infer_types = [](const TypeContext&) -> Result<std::vector<PortType>> {
      PortType out;
      out.kind = PortKind::kTensor;
      out.name = "numbers";
      out.tensor = type({1, 4});
      return std::vector<PortType>{out};
    };
  }
  Status process(Context& context) override {
    SLUICE_ASSIGN(Packet packet, context.make());
    const std::uint64_t number = context.frame().number;
    if (number == 0) packet.edit<Tensor>()->type = type({1, 2});
    if (number == 1) packet.edit<Tensor>()->type = type({1, 4}, DType::kInt32);
    if (number == 2) packet.edit<Tensor>()->type = nullptr;
    if (number == 3) packet.edit<Tensor>()->type = type({1, 4});  // another object of the same type
    context.emit(std::move(packet));
    return {};
  }

 private:
  static std::shared_ptr<const TensorType> type(Shape shape, DType dtype = DType::kFloat32) {
    auto out = std::make_shared<TensorType>();
    out->name = "numbers";
    out->dtype = dtype;
    out->shape = shape;
    return out;
  }
};

// Pushes six frames through a node that emits what it did not declare.
std::vector<std::uint64_t> delivered_by(const std::string& type, const Registry& registry) {
  Application app(false, "type: " + type, registry);
  EXPECT_TRUE(app.pipeline().start().ok());
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(app.push(i).ok());
  app.source().close();
  EXPECT_TRUE(app.pipeline().wait().ok());
  const std::uint64_t failed =
      app.pipeline().report().sources[0].dropped[static_cast<std::size_t>(DropReason::kFailed)];
  EXPECT_EQ(failed + app.numbers().size(), 6U);
  return app.numbers();
}

std::string refusal_of(const std::string& type, const Registry& registry) {
  Application app(false, "type: " + type + ", on_error: stop", registry);
  EXPECT_TRUE(app.pipeline().start().ok());
  EXPECT_TRUE(app.push(0).ok());
  app.source().close();
  return app.pipeline().wait().message();
}

TEST(Application, ThatEmitsAnotherTypeThanItsNodeDeclaresLosesTheFrame) {
  Registry registry = builtin_registry();
  ASSERT_TRUE(registry.add<Mislabels>("mislabels").ok());
  ASSERT_TRUE(registry.add<Reshapes>("reshapes").ok());
  EXPECT_THAT(delivered_by("mislabels", registry), ElementsAre(1U, 3U, 5U));
  EXPECT_THAT(delivered_by("reshapes", registry), ElementsAre(3U, 4U, 5U));
  EXPECT_THAT(
      refusal_of("mislabels", registry),
      HasSubstr("node 'middle': frame 0 of 'mine': output 'found' is declared as detections, but frame gray "
                "32x16 was emitted"));
  EXPECT_THAT(
      refusal_of("reshapes", registry),
      HasSubstr("node 'middle': frame 0 of 'mine': output 'numbers' is declared as float32 1x4, but float32 "
                "1x2 was emitted"));
}

// Keeps all that it makes, of which it declares one, until there is no more; or throws each away.
template <bool kKeeps>
class MakesAll final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Makes more than it declares.");
    d.input("in", PortKind::kFrame);
    d.output("out", PortKind::kDetections);
  }
  Status process(Context& context) override {
    std::vector<Packet> kept;
    for (int i = 0; i < 1000; ++i) {
      SLUICE_ASSIGN(Packet packet, context.make());
      if (kKeeps) kept.push_back(std::move(packet));
    }
    SLUICE_ASSIGN(Packet packet, context.make());
    context.emit(std::move(packet));
    return {};
  }
};

// Nobody else could give such a node what it waits for.
TEST(Application, ThatHoldsMorePacketsThanItsNodeDeclaresLosesTheFrame) {
  Registry registry = builtin_registry();
  ASSERT_TRUE(registry.add<MakesAll<true>>("keeps").ok());
  ASSERT_TRUE(registry.add<MakesAll<false>>("wastes").ok());
  Application keeps(false, "type: keeps", registry), wastes(false, "type: wastes", registry);
  for (Application* app : {&keeps, &wastes}) {
    ASSERT_TRUE(app->pipeline().start().ok());
    for (int i = 0; i < 6; ++i) ASSERT_TRUE(app->push(i).ok());
    app->source().close();
    EXPECT_TRUE(app->pipeline().wait().ok());
  }
  const RunReport report = keeps.pipeline().report();
  EXPECT_EQ(report.sources[0].dropped[static_cast<std::size_t>(DropReason::kTooMany)], 6U);
  EXPECT_EQ(wastes.numbers().size(), 6U);
}

// Makes a picture of the type that it said its port has, or said nothing of.
template <bool kSays>
class MakesPicture final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Makes a picture.");
    d.input("in", PortKind::kFrame);
    d.output("out", PortKind::kFrame);
    if (!kSays) return;
    d.infer_types = [](const TypeContext&) -> Result<std::vector<PortType>> {
      PortType out;
      out.kind = PortKind::kFrame;
      out.image = {PixelFormat::kGray, 8, 4, {}, 0};
      return std::vector<PortType>{out};
    };
  }
  Status process(Context& context) override {
    SLUICE_ASSIGN(Packet packet, context.make());
    auto* image = packet.edit<Image>();
    image->planes[0][3 * image->strides[0] + 7] = 1;
    context.emit(std::move(packet));
    return {};
  }
};

TEST(Application, MakesPicturesOfTheTypeItsNodeDeclares) {
  Registry registry = builtin_registry();
  ASSERT_TRUE(registry.add<MakesPicture<true>>("says").ok());
  ASSERT_TRUE(registry.add<MakesPicture<false>>("silent").ok());
  Application app(false, "type: says", registry);
  ASSERT_TRUE(app.pipeline().start().ok());
  ASSERT_TRUE(app.push(0).ok());
  app.source().close();
  EXPECT_TRUE(app.pipeline().wait().ok());
  EXPECT_THAT(app.numbers(), ElementsAre(0U));
  EXPECT_THAT(refusal_of("silent", registry),
              HasSubstr("output 'out' has no type that is known before the run: give make_image() the "
                        "picture's"));
}

// Its second capture has no packet.
class Forgets final : public SourceNode {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Forgets the picture of a capture.");
    d.source = true;
    d.thread = ThreadKind::kOwn;
    d.option("computes", false);
    d.output("frame", PortKind::kFrame);
  }
  Result<SourceInfo> probe(const OpenContext& context) override {
    SourceInfo info;
    info.type = kPicture;
    info.only_computes = context.options->flag("computes");
    return info;
  }
  Result<Capture> next(SourceContext& context) override {
    Capture capture;
    if (made_++ > 0) return capture;
    SLUICE_ASSIGN(capture.packet, context.make_image(kPicture));
    return capture;
  }

 private:
  static constexpr ImageType kPicture{PixelFormat::kGray, 8, 4, {}, 0};
  int made_ = 0;
};

TEST(Application, ThatForgetsACapturesPacketEndsItsSourceByError) {
  Registry registry = builtin_registry();
  ASSERT_TRUE(registry.add<Forgets>("forgets").ok());
  for (const char* const computes : {"true", "false"}) {
    auto pipeline = Pipeline::load(
        "version: 1\nnodes:\n  - {id: mine, type: forgets, options: {computes: " + std::string(computes) +
            "}}\n  - {id: out, type: null_sink, inputs: mine}\n",
        registry);
    ASSERT_TRUE(pipeline.ok()) << pipeline.status().message();
    ASSERT_TRUE(pipeline->start().ok());
    EXPECT_THAT(pipeline->wait().message(), HasSubstr("next() returned a capture without a packet"));
    EXPECT_EQ(pipeline->report().sources[0].delivered, 1U);
  }
}

struct CannotDescribe final : public Node {
  static void describe(NodeDeclaration&) { throw std::runtime_error("no words"); }
  Status process(Context&) override { return {}; }
};

TEST(Application, IsToldThatATypeCannotDescribeItself) {
  Registry registry;
  EXPECT_EQ(registry.add<CannotDescribe>("mute").message(),
            "node type 'mute': describe(): threw an exception: no words");
  EXPECT_FALSE(registry.find("mute"));
}

// Types that can be declared, but make no node.
TEST(Application, IsToldWhereANodeIsThatItsTypeDoesNotMake) {
  const auto refusal = [](const CreateNode& create) {
    Registry registry = builtin_registry();
    NodeDeclaration d = *registry.find("null_sink");
    d.type = "mine";
    d.create = create;
    EXPECT_TRUE(registry.add(std::move(d)).ok());
    const auto pipeline = Pipeline::load(
        "version: 1\nnodes:\n  - {id: cam, type: video_source, options: {uri: 'test:bars'}}\n  - {id: out, "
        "type: mine, inputs: cam}\n",
        registry);
    EXPECT_EQ(pipeline.status().code(), Code::kInvalid);
    return pipeline.status().message();
  };
  const std::string at = ":4:10: error: node 'out': ";
  EXPECT_THAT(refusal(nullptr), HasSubstr(at + "type 'mine' cannot run: its declaration has no create()"));
  EXPECT_THAT(refusal([] { return Result<std::unique_ptr<Node>>(std::unique_ptr<Node>()); }),
              HasSubstr(at + "type 'mine' cannot run: its create() returned no node"));
  EXPECT_THAT(
      refusal([]() -> Result<std::unique_ptr<Node>> { throw std::runtime_error("no constructor today"); }),
      HasSubstr(at + "create(): threw an exception: no constructor today"));
  EXPECT_THAT(refusal([] { return Result<std::unique_ptr<Node>>(failed("no camera")); }),
              HasSubstr(at + "no camera"));
}

TEST(Application, SetsItsCallbackBeforeTheStartOnly) {
  Application app(false);
  ASSERT_TRUE(app.pipeline().start().ok());
  const Status late = app.sink().on_packet([](const Packet&) { FAIL() << "frames may be in the other one"; });
  EXPECT_THAT(late.message(), HasSubstr("on_packet() was called after start()"));
  ASSERT_TRUE(app.push(0).ok());
  app.source().close();
  EXPECT_TRUE(app.pipeline().wait().ok());
  EXPECT_THAT(app.numbers(), ElementsAre(0U));
}

TEST(Application, IsToldThatARunWhoseStartFailedTakesNoFrame) {
  const std::string made = ::testing::TempDir() + "sluice_exists_" + std::to_string(::getpid()) + ".json";
  Result<Pipeline> pipeline = Pipeline::load(
      "version: 1\nnodes:\n"
      "  - {id: mine, type: app_source, options: {width: 32, height: 16, format: gray}}\n"
      "  - {id: out, type: json_sink, inputs: mine, options: {path: " +
          made + "}}\n",
      builtin_registry());
  ASSERT_TRUE(pipeline.ok()) << pipeline.status().message();
  const Picture picture;
  AppSourceHandle source = pipeline->app_source("mine");
  ASSERT_TRUE(pipeline->probe().ok());
  EXPECT_EQ(source.push(picture.frame()).message(), "a frame was pushed before start()");
  std::ofstream(made) << "somebody's\n";
  EXPECT_THAT(pipeline->start().message(), HasSubstr(made));
  EXPECT_EQ(source.push(picture.frame()).code(), Code::kCancelled);
  std::filesystem::remove(made);
}

TEST(Application, ThatClosesInTheCallbackEndsTheRunBesideAPush) {
  Application app(false);
  std::atomic<int> seen{0};
  ASSERT_TRUE(app.sink()
                  .on_packet([&](const Packet&) {
                    if (++seen == 10) app.source().close();
                  })
                  .ok());
  ASSERT_TRUE(app.pipeline().start().ok());
  Status last;
  std::thread pushes([&] {
    for (int i = 0; last.ok(); ++i) last = app.push(i);
  });
  EXPECT_TRUE(app.pipeline().wait().ok());
  pushes.join();
  EXPECT_FALSE(last.ok());
  EXPECT_GE(seen.load(), 10);
}

TEST(Application, MakesAsManyCapturesAsTheRunHas) {
  for (const std::int64_t frames : {0, 3}) {
    Application app(false);
    ASSERT_TRUE(app.pipeline().start({.frames = frames}).ok());
    for (std::int64_t i = 0; i < frames; ++i) ASSERT_TRUE(app.push(static_cast<double>(i)).ok());
    const Status more = app.push(99);
    EXPECT_EQ(more.code(), Code::kCancelled);
    EXPECT_THAT(more.message(), HasSubstr("captures of RunOptions::frames"));
    EXPECT_TRUE(app.pipeline().wait().ok()) << "nobody closes the source";
    EXPECT_EQ(app.pipeline().report().status, RunStatus::kCompleted);
    EXPECT_EQ(app.pipeline().report().sources[0].produced, static_cast<std::uint64_t>(frames));
    EXPECT_EQ(app.numbers().size(), static_cast<std::size_t>(frames));
  }
}

TEST(Application, ThatClosesBeforeTheStartHasARunWithoutFrames) {
  Application app(false);
  app.source().close();
  ASSERT_TRUE(app.pipeline().start().ok());
  EXPECT_TRUE(app.pipeline().wait().ok());
  EXPECT_EQ(app.pipeline().report().status, RunStatus::kCompleted);
  EXPECT_THAT(app.numbers(), ElementsAre());
  EXPECT_FALSE(app.push(0).ok());
}

TEST(Application, SetsOptionsOnlyWhileThePipelineRuns) {
  Application app(false);
  const std::string refused = "options are set while the pipeline runs";
  EXPECT_EQ(app.pipeline().set("middle", "rate_hz", "10").message(), refused);
  ASSERT_TRUE(app.pipeline().start().ok());
  ASSERT_TRUE(app.push(0).ok());
  ASSERT_TRUE(app.pipeline().set("middle", "rate_hz", "10").ok());
  for (const double ms : {50.0, 90.0, 150.0}) ASSERT_TRUE(app.push(ms).ok());
  app.source().close();
  EXPECT_TRUE(app.pipeline().wait().ok());
  EXPECT_EQ(app.pipeline().set("middle", "rate_hz", "20").message(), refused);
  ASSERT_EQ(app.pipeline().report().settings.size(), 1U);
  EXPECT_EQ(app.pipeline().report().settings[0].value, "10");
  EXPECT_LT(app.numbers().size(), 4U);
}

TEST(Application, FillsNoMemoryWithTheOptionsItSets) {
  Application app(false);
  ASSERT_TRUE(app.pipeline().start().ok());
  constexpr std::size_t kSet = RunReport::kMostSettings + 5;
  for (std::size_t i = 1; i <= kSet; ++i)
    ASSERT_TRUE(app.pipeline().set("middle", "rate_hz", std::to_string(i)).ok());
  app.source().close();
  EXPECT_TRUE(app.pipeline().wait().ok());
  const RunReport report = app.pipeline().report();
  ASSERT_EQ(report.settings.size(), RunReport::kMostSettings);
  EXPECT_EQ(report.settings.front().value, "6");
  EXPECT_EQ(report.settings.back().value, std::to_string(kSet));
  EXPECT_EQ(report.settings_left_out, 5U);
  EXPECT_THAT(to_json(report), HasSubstr("\"settings_left_out\": 5"));
}

TEST(Application, PushesTimesThatAreNone) {
  Application app(false);
  ASSERT_TRUE(app.pipeline().start().ok());
  Frame frame = Picture().frame();
  for (const double ms : {std::nan(""), -1.0, 1e300, HUGE_VAL}) {
    frame.age_ms = ms;
    EXPECT_THAT(app.source().push(frame).message(), HasSubstr("the age_ms of a pushed frame is "));
    EXPECT_THAT(app.push(ms).message(), HasSubstr("the media_time_ms of a pushed frame is "));
  }
  app.source().close();
  EXPECT_TRUE(app.pipeline().wait().ok());
  EXPECT_EQ(app.pipeline().report().sources[0].produced, 0U);
}

// Ok means that the frame is in the flow, also when the run has just ended by itself; and the end of the run
// is told once.
TEST(Application, IsToldOfEveryFrameThatIsNotInTheRun) {
  Registry registry = builtin_registry();
  ASSERT_TRUE(registry.add<Refuses>("refuses").ok());
  Application app(false, "type: refuses", registry);
  ASSERT_TRUE(app.pipeline().start().ok());
  std::uint64_t taken = 0;
  for (int i = 0; i < 200; ++i) taken += app.push(i).ok() ? 1 : 0;
  EXPECT_EQ(app.push(200).message(), "the run is over");
  const Status status = app.pipeline().wait();
  EXPECT_THAT(status.message(), HasSubstr("not today; the run stops (30 failures in a row)"));
  EXPECT_THAT(status.message(), Not(HasSubstr("\n")));
  const SourceReport source = app.pipeline().report().sources[0];
  EXPECT_LE(taken, source.produced);
  EXPECT_GE(taken + 1, source.produced) << "one may have been produced and then cancelled";
}

TEST(Application, IsRefusedALimitThatIsNone) {
  const auto refusal = [](const RunOptions& options) {
    Application app(false);
    const Status status = app.pipeline().start(options);
    EXPECT_EQ(status.code(), Code::kInvalid);
    return status.message();
  };
  EXPECT_EQ(refusal({.frames = -1}), "RunOptions::frames is -1, allowed: at least 0");
  EXPECT_EQ(refusal({.duration_s = -1}), "RunOptions::duration_s is -1, allowed: 0 to 1e+09");
  EXPECT_EQ(refusal({.duration_s = std::nan("")}), "RunOptions::duration_s is nan, allowed: 0 to 1e+09");
  EXPECT_EQ(refusal({.workers = -1}), "RunOptions::workers is -1, allowed: 0 to 1024");
}

TEST(Application, RunsTwoPipelinesAtOnceAndDropsThemInAnyState) {
  Application lossless(false), live(true);
  ASSERT_TRUE(lossless.pipeline().start().ok());
  ASSERT_TRUE(live.pipeline().start().ok());
  std::thread other([&] {
    for (int i = 0; i < 300; ++i) {
      [[maybe_unused]] const Status pushed = live.push(i);  // in realtime, maybe an overload
    }
  });
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(lossless.push(i).ok());
  other.join();
  lossless.source().close();
  EXPECT_TRUE(lossless.pipeline().wait().ok());
  EXPECT_EQ(lossless.numbers().size(), 300U);
  live.pipeline().stop();
  EXPECT_TRUE(live.pipeline().wait().ok());
  EXPECT_EQ(live.pipeline().report().sources[0].produced, 300U);
  for (int frames = 0; frames < 4; ++frames) {
    Application gone(frames % 2 == 0);
    ASSERT_TRUE(gone.pipeline().start().ok());
    for (int i = 0; i < frames; ++i) {
      [[maybe_unused]] const Status pushed = gone.push(i);
    }
  }
}

// A desktop program calls setlocale(): numbers of the file and of messages keep their point.
TEST(Application, InALocaleWithDecimalCommas) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("sluice-locale-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  const std::string made = (folder / "de_DE.UTF-8").string();
  const bool there =
      std::system(("localedef --no-archive -i de_DE -f UTF-8 " + made + " >/dev/null 2>&1").c_str()) == 0;
  ::setenv("LOCPATH", folder.c_str(), 1);
  const char* const set = there ? std::setlocale(LC_ALL, "de_DE.UTF-8") : nullptr;
  std::filesystem::remove_all(folder);
  if (!set) GTEST_SKIP() << "localedef makes no locale with commas here";
  ASSERT_EQ(std::to_string(1.5), "1,500000");
  EXPECT_EQ(Pace::parse("12.5").fps, 12.5);
  const auto refused = Pipeline::load(
      "version: 1\nnodes:\n  - {id: cam, type: video_source, options: {uri: 'test:bars', "
      "fps: 1000.5}}\n  - {id: out, type: null_sink, inputs: cam}\n",
      builtin_registry());
  EXPECT_THAT(refused.status().message(), HasSubstr("option 'fps' is 1000.5, allowed: 0.001 to 1000 1/s"));
  std::setlocale(LC_ALL, "C");
}

}  // namespace
}  // namespace sluice
