// What may come from another thread at any moment: reports, and a stop while sources are opened.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include "runtime/builtin.h"
#include "runtime/pipeline.h"

namespace sluice {
namespace {

// Reports from a thread of its own, from before the run's start to its end.
class Reporter {
 public:
  explicit Reporter(const Pipeline& pipeline)
      : thread_([&] {
          while (!over_) {
            const RunReport report = pipeline.report();
            EXPECT_LE(report.sources[0].delivered, report.sources[0].produced);
            ++reports_;
            reports_.notify_all();
          }
        }) {}
  ~Reporter() {
    over_ = true;
    thread_.join();
  }
  // Until it has made one more.
  void wait_for_another() const { reports_.wait(reports_.load()); }

 private:
  std::atomic<bool> over_{false};
  std::atomic<int> reports_{0};
  std::thread thread_;
};

constexpr const char* kPipeline =
    "version: 1\nname: moments\nnodes:\n"
    "  - {id: cam, type: video_source, options: {uri: 'test:bars', width: 64, height: 64}}\n"
    "  - {id: out, type: null_sink, inputs: cam}\n";

TEST(AtAnyMoment, ThereIsAReport) {
  Result<Pipeline> pipeline = Pipeline::load(kPipeline, builtin_registry());
  ASSERT_TRUE(pipeline.ok()) << pipeline.status().message();
  const Reporter reporter(*pipeline);
  reporter.wait_for_another();
  RunOptions options;
  options.frames = 50;
  ASSERT_TRUE(pipeline->start(options).ok());
  EXPECT_TRUE(pipeline->wait().ok());
  reporter.wait_for_another();
  EXPECT_EQ(pipeline->report().sources[0].delivered, 50U);
}

TEST(AtAnyMoment, ThereIsAReportOfASimulatedRun) {
  Result<Pipeline> pipeline = Pipeline::load(kPipeline, builtin_registry(), {{}, "30"});
  ASSERT_TRUE(pipeline.ok()) << pipeline.status().message();
  RunOptions options;
  options.frames = 300;
  options.device = "sim:qcs6490";
  int seconds = 0;
  {
    std::optional<Reporter> reporter;
    options.every_second = [&] {
      if (++seconds == 1) reporter.emplace(*pipeline);
      EXPECT_GT(pipeline->report().sources[0].produced, 0U);
      reporter->wait_for_another();  // the run waits for a thread that reads its report
    };
    ASSERT_TRUE(pipeline->start(options).ok());
    EXPECT_TRUE(pipeline->wait().ok());
  }
  EXPECT_GE(seconds, 9);
  EXPECT_EQ(pipeline->report().sources[0].delivered, 300U);
}

TEST(AtAnyMoment, ADeviceThatIsNoneFailsTheRunAsAnyOtherStart) {
  for (const std::string device : {"sim:", "sim:/nope.yaml", "trace:/nope"}) {
    Result<Pipeline> pipeline = Pipeline::load(kPipeline, builtin_registry());
    ASSERT_TRUE(pipeline.ok()) << pipeline.status().message();
    RunOptions options;
    options.device = device;
    const Status status = pipeline->start(options);
    ASSERT_FALSE(status.ok()) << device;
    EXPECT_EQ(pipeline->wait().message(), status.message());
    EXPECT_EQ(pipeline->wait().code(), status.code());
    const RunReport report = pipeline->report();
    EXPECT_EQ(report.status, RunStatus::kFailed);
    EXPECT_EQ(report.error, status.message());
  }
}

TEST(AtAnyMoment, ASecondStartWithADeviceThatIsNoneLeavesTheRunAsItIs) {
  Result<Pipeline> pipeline = Pipeline::load(kPipeline, builtin_registry());
  ASSERT_TRUE(pipeline.ok()) << pipeline.status().message();
  RunOptions options;
  options.frames = 50;
  ASSERT_TRUE(pipeline->start(options).ok());
  options.device = "sim:";
  EXPECT_FALSE(pipeline->start(options).ok());
  EXPECT_TRUE(pipeline->wait().ok());
  EXPECT_EQ(pipeline->report().sources[0].delivered, 50U);
}

// A camera that does not answer.
class Silent final : public SourceNode {
 public:
  static inline std::function<void()> when_probed;

  static void describe(NodeDeclaration& d) {
    d.about("Is waited for until it is interrupted.");
    d.source = true;
    d.thread = ThreadKind::kOwn;
    d.output("frame", PortKind::kFrame);
  }
  Result<SourceInfo> probe(const OpenContext&) override {
    when_probed();
    interrupted_.get_future().wait();
    return failed("the camera was not opened");
  }
  Result<Capture> next(SourceContext&) override { return end_of_stream(); }
  void interrupt() override { interrupted_.set_value(); }

 private:
  std::promise<void> interrupted_;
};

TEST(AtAnyMoment, ASimulatedRunThatOpensItsSourcesIsStopped) {
  Registry registry = builtin_registry();
  ASSERT_TRUE(registry.add<Silent>("silent").ok());
  Result<Pipeline> pipeline = Pipeline::load(
      "version: 1\nnodes:\n  - {id: cam, type: silent}\n  - {id: out, type: null_sink, inputs: cam}\n",
      registry);
  ASSERT_TRUE(pipeline.ok()) << pipeline.status().message();
  std::promise<void> probed;
  Silent::when_probed = [&] { probed.set_value(); };
  std::thread signal([&] {
    probed.get_future().wait();
    pipeline->stop();
  });
  RunOptions options;
  options.device = "sim:qcs6490";
  const Status status = pipeline->start(options);
  signal.join();
  EXPECT_EQ(status.code(), Code::kCancelled) << status.message();
  EXPECT_EQ(pipeline->report().status, RunStatus::kStopped);

  // A stop that comes before the sources are opened, or when they all have been.
  Result<Pipeline> stopped = Pipeline::load(kPipeline, builtin_registry());
  stopped->stop();
  EXPECT_EQ(stopped->start(options).code(), Code::kCancelled);
  stopped = Pipeline::load(kPipeline, builtin_registry());
  ASSERT_TRUE(stopped->probe(options).ok());
  stopped->stop();
  EXPECT_EQ(stopped->start(options).code(), Code::kCancelled);
}

constexpr const char* kOnePicture =
    "version: 1\nnodes:\n"
    "  - {id: cam, type: image_source, options: {path: /no/such/picture.jpg}}\n"
    "  - {id: out, type: null_sink, inputs: cam}\n";

// Nodes may be opened once.
TEST(Opening, ThatFailedIsNotRepeated) {
  Result<Pipeline> pipeline = Pipeline::load(kOnePicture, builtin_registry());
  ASSERT_TRUE(pipeline.ok()) << pipeline.status().message();
  EXPECT_EQ(pipeline->probe().code(), Code::kFailed);
  for (const Status& status : {pipeline->probe(), pipeline->start()}) {
    EXPECT_EQ(status.code(), Code::kInvalid);
    EXPECT_NE(status.message().find("load it again"), std::string::npos) << status.message();
  }
}

TEST(Opening, TakesTheSameOptionsInProbeAndStart) {
  Result<Pipeline> pipeline = Pipeline::load(kPipeline, builtin_registry());
  RunOptions options;
  options.frames = 5;
  ASSERT_TRUE(pipeline->probe(options).ok());
  const Status other = pipeline->start();
  EXPECT_EQ(other.code(), Code::kInvalid);
  EXPECT_NE(other.message().find("RunOptions::frames"), std::string::npos) << other.message();
  options.duration_s = 3600;  // the start's own
  ASSERT_TRUE(pipeline->start(options).ok());
  EXPECT_TRUE(pipeline->wait().ok());
  EXPECT_EQ(pipeline->report().sources[0].produced, 5U);
}

TEST(Waiting, ForNoTimeOrForEverEndsWithTheRun) {
  Result<Pipeline> pipeline = Pipeline::load(kPipeline, builtin_registry());
  RunOptions options;
  options.frames = 5;
  options.every_second = [] {};
  ASSERT_TRUE(pipeline->start(options).ok());
  EXPECT_TRUE(pipeline->wait_for(std::numeric_limits<double>::infinity()));
  EXPECT_TRUE(pipeline->wait_for(0));
  EXPECT_TRUE(pipeline->wait_for(std::numeric_limits<double>::quiet_NaN()));
}

TEST(Waiting, AgainForABrokenOffSimulatedRunSaysThatItFailed) {
  Result<Pipeline> pipeline = Pipeline::load(kPipeline, builtin_registry(), {{}, "30"});
  RunOptions options;
  options.frames = 300;
  options.device = "sim:qcs6490";
  options.every_second = [] { throw std::runtime_error("the application's"); };
  ASSERT_TRUE(pipeline->start(options).ok());
  EXPECT_THROW(static_cast<void>(pipeline->wait()), std::runtime_error);
  EXPECT_EQ(pipeline->wait().code(), Code::kFailed);
}

}  // namespace
}  // namespace sluice
