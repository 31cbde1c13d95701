// What an application does with a pipeline that it feeds and reads itself (contract section 7), in the right
// order and in the wrong one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

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
#include "tests/runtime/application.h"

namespace sluice {
namespace {

using sluice::testing::Application;
using sluice::testing::Picture;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Refuses final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Fails.");
    d.input("in", PortKind::kFrame);
    d.output("out", PortKind::kDetections);
  }
  Status process(Context&) override { throw std::runtime_error("not today"); }
};

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

TEST(Application, IsRefusedADeviceThatIsNone) {
  for (const char* const device : {"bla", "sim", "sim:", "SIM:qcs6490", "trace", "trace:", "REAL", "real "}) {
    RunOptions options;
    options.device = device;
    for (const bool probed : {true, false}) {
      Application app(false);
      const Status status = probed ? app.pipeline().probe(options) : app.pipeline().start(options);
      EXPECT_EQ(status.code(), Code::kInvalid) << device;
      EXPECT_THAT(status.message(), HasSubstr("', allowed: real, sim:PROFILE, trace:RECORDING")) << device;
    }
  }
  RunOptions timed;
  timed.timings = "/nope";
  EXPECT_THAT(Application(false).pipeline().start(timed).message(), HasSubstr("for simulated devices"));
  RunOptions hot;
  hot.ambient_c = 40;
  EXPECT_THAT(Application(false).pipeline().start(hot).message(), HasSubstr("for simulated devices"));
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
