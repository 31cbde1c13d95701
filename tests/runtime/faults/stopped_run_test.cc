// A stop at any moment: of the discrete executor at seeded events, of the real one at random times, with real
// nodes; and clocks that jump.
#include <gmock/gmock.h>

#include <chrono>
#include <fstream>
#include <random>
#include <thread>

#include "framework/graph/discrete_executor.h"
#include "tests/runtime/faults/fault_run.h"
#include "tests/runtime/faults/jumping_clock.h"

namespace sluice::testing {
namespace {

// Two sources, a model, a join, a `latest` input, a switch, a rate and a file.
std::string pipeline(const std::string& lines) {
  return "version: 1\nname: stopped\n"
         "models: {face: {path: data/models/face_detection_front_128x128.onnx}}\n"
         "nodes:\n"
         "  - {id: cam, type: video_source, options: {uri: 'test:bars', width: 64, height: 64, fps: 30}}\n"
         "  - {id: door, type: video_source, options: {uri: 'test:noise', width: 64, height: 64, fps: 25}}\n"
         "  - {id: pre, type: preprocess, inputs: cam, options: {model: face, mean: 127.5, std: 127.5}}\n"
         "  - {id: face, type: infer, inputs: pre, options: {model: face, backends: [fake], fake: "
         "{latency_ms: 7}}}\n"
         "  - {id: boxes, type: detect, inputs: face, options: {decoder: blazeface}}\n"
         "  - {id: shaky, type: fault, inputs: cam, options: {does: throw, at: 3, times: 2}}\n"
         "  - {id: drawn, type: draw, inputs: {image: shaky, detections: {from: boxes, sync: latest}}}\n"
         "  - {id: half, type: rate_limit, inputs: drawn, options: {rate_hz: 15}}\n"
         "  - {id: way, type: switch, inputs: door, options: {to: b}}\n"
         "  - {id: lines, type: json_sink, inputs: {found: boxes, shown: drawn}, options: {path: " +
         lines +
         ", overwrite: true}}\n"
         "  - {id: shown, type: null_sink, inputs: half}\n"
         "  - {id: left, type: null_sink, inputs: way.a}\n"
         "  - {id: right, type: null_sink, inputs: way.b}\n";
}

constexpr int kFrames = 12;

RunOptions some_frames() {
  RunOptions options;
  options.frames = kFrames;
  return options;
}

LoadOptions paced() { return {{}, "realtime"}; }

struct DiscreteRun {
  explicit DiscreteRun(const LoadOptions& options) {
    EngineSetup setup;
    setup.clock = &clock;
    setup.make_executor = [this](ExecutorSetup parts) {
      auto made = std::make_unique<DiscreteExecutor>(std::move(parts), clock);
      executor = made.get();
      return made;
    };
    run.emplace(pipeline("/dev/null"), std::move(setup), options);
  }
  ManualClock clock;
  DiscreteExecutor* executor = nullptr;
  std::optional<FaultRun> run;
};

// How many events it takes when nobody stops it.
int count_events(const LoadOptions& options) {
  DiscreteRun discrete(options);
  int events = 0;
  EXPECT_TRUE(discrete.run->engine().start(some_frames()).ok());
  discrete.executor->on_event([&] { ++events; });
  EXPECT_TRUE(discrete.run->wait().ok());
  const RunReport report = discrete.run->report();
  EXPECT_EQ(report.status, RunStatus::kCompleted);
  EXPECT_EQ(report.sources[0].produced, static_cast<std::uint64_t>(kFrames));
  EXPECT_EQ(count(report.sources[0].dropped, DropReason::kFailed), 2u);
  return events;
}

void stop_at_event(const LoadOptions& options, int when) {
  DiscreteRun discrete(options);
  int events = 0;
  ASSERT_TRUE(discrete.run->engine().start(some_frames()).ok());
  discrete.executor->on_event([&] {
    if (events++ == when) discrete.run->engine().stop(true);
  });
  const Status status = discrete.run->wait();
  ASSERT_TRUE(status.ok()) << "event " << when << ": " << status.message();
  const RunReport report = discrete.run->report();
  ASSERT_EQ(broken_equations(report), "") << "event " << when;
  ASSERT_EQ(report.status, RunStatus::kStopped) << "event " << when;
  for (const SourceReport& source : report.sources) {
    EXPECT_EQ(source.delivered + count(source.dropped, DropReason::kFailed) +
                  count(source.dropped, DropReason::kCancelled) +
                  count(source.dropped, DropReason::kQueueFull) +
                  count(source.dropped, DropReason::kFiltered),
              source.produced)
        << "event " << when << ", source " << source.id;
  }
}

void stop_at_seeded_events(int points) {
  for (const LoadOptions& options : {LoadOptions{}, paced()}) {
    const int events = count_events(options);
    ASSERT_GT(events, 100);
    std::mt19937 random(20261126);
    for (int i = 0; i < points / 2; ++i) {
      stop_at_event(options, static_cast<int>(random() % static_cast<unsigned>(events)));
      ASSERT_FALSE(::testing::Test::HasFailure());
    }
  }
}

TEST(StoppedRun, AtSeededPointsOfTheDiscreteExecutor) { stop_at_seeded_events(100); }
TEST(StoppedRunSlow, AtAThousandSeededPointsOfTheDiscreteExecutor) { stop_at_seeded_events(1000); }

void stop_after(std::chrono::microseconds when, bool also_while_it_opens) {
  FaultRun run(pipeline("/dev/null"), {}, paced());
  std::thread signal;
  const auto send = [&] {
    std::this_thread::sleep_for(when);
    run.engine().stop(true);
  };
  if (also_while_it_opens) signal = std::thread(send);
  const Status started = run.engine().start(some_frames());
  if (!also_while_it_opens) signal = std::thread(send);
  signal.join();
  if (!started.ok()) {
    EXPECT_EQ(started.code(), Code::kCancelled) << started.message();
    EXPECT_EQ(run.report().status, RunStatus::kStopped);
    return;
  }
  const Status status = run.wait();
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(run.report().status, RunStatus::kStopped);
}

void stop_at_random_moments(int moments) {
  stop_after(std::chrono::microseconds(0), false);
  const int threads = threads_now();
  const int descriptors = descriptors_now();
  const unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  for (int i = 0; i < moments; ++i) {
    const std::chrono::microseconds when(random() % 60'000);
    stop_after(when, i % 2 == 0);
    ASSERT_FALSE(::testing::Test::HasFailure())
        << "seed " << seed << ", moment " << i << ": " << when.count();
  }
  EXPECT_TRUE(threads_come_down_to(threads)) << threads_now() << " instead of " << threads;
  EXPECT_EQ(descriptors_now(), descriptors);
}

TEST(StoppedRun, AtRandomMomentsOfTheRealOne) { stop_at_random_moments(20); }
TEST(StoppedRunSlow, AtAHundredRandomMomentsOfTheRealOne) { stop_at_random_moments(100); }

// --- clocks that jump --------------------------------------------------------------------------------------

void run_with_jump(TimeNs by, const LoadOptions& options, const std::string& flow) {
  auto clock = std::make_unique<JumpingClock>();
  EngineSetup setup;
  setup.clock = clock.get();
  FaultRun run(pipeline("/dev/null") + flow, std::move(setup), options);
  ASSERT_TRUE(run.engine().start(some_frames()).ok());
  while (run.engine().report().sources[0].produced < 3) std::this_thread::yield();
  clock->jump(by);
  // An hour back, a paced source waits an hour for its next picture.
  if (by < -from_s(60) && !run.engine().wait_for(1)) run.engine().stop(false);
  const Status status = run.wait();
  EXPECT_TRUE(status.ok()) << status.message();
  const RunReport report = run.report();
  EXPECT_LE(report.sources[0].produced, static_cast<std::uint64_t>(kFrames));
  if (by > 0) {
    EXPECT_EQ(report.sources[0].produced, static_cast<std::uint64_t>(kFrames));
  }
}

TEST(ClockJump, ForwardAndBackwardLoseNoFrameUncounted) {
  for (const TimeNs by : {from_s(3600), -from_s(3600), from_ms(50), -from_ms(50)}) {
    SCOPED_TRACE(to_s(by));
    run_with_jump(by, {}, "");
    run_with_jump(by, paced(), "");
    run_with_jump(by, paced(), "flow: {deadline_ms: 20}\n");
  }
}

TEST(ClockJump, ForwardMakesFramesInsideStale) {
  ManualClock clock;
  EngineSetup setup;
  setup.clock = &clock;
  DiscreteExecutor* executor = nullptr;
  setup.make_executor = [&](ExecutorSetup parts) {
    auto made = std::make_unique<DiscreteExecutor>(std::move(parts), clock);
    executor = made.get();
    return made;
  };
  FaultRun run(pipeline("/dev/null") + "flow: {deadline_ms: 100}\n", std::move(setup), paced());
  ASSERT_TRUE(run.engine().start(some_frames()).ok());
  int events = 0;
  executor->on_event([&] {
    if (++events == 20) clock.advance_to(clock.now() + from_ms(500));
  });
  ASSERT_TRUE(run.wait().ok());
  const RunReport report = run.report();
  EXPECT_GT(count(report.sources[0].dropped, DropReason::kStale), 0u);
  EXPECT_EQ(report.sources[0].produced, static_cast<std::uint64_t>(kFrames));
}

}  // namespace
}  // namespace sluice::testing
