// What a `latest` port holds (contract section 3 rule 3), in whole pipelines on the manual clock: the newest
// data, an empty list included; absences leave it alone, and nothing is older than max_age_ms.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "framework/graph/discrete_executor.h"
#include "tests/runtime/faults/fault_run.h"

namespace sluice::testing {
namespace {

// One thread, one order of events, a camera that delivers when it is due; `cost`: how long each node takes,
// by its id (none: no time at all, so that each frame is done before the next comes).
class Discrete {
 public:
  using Cost = std::function<TimeNs(const std::string& node)>;
  explicit Discrete(const std::string& yaml, const Cost& cost = nullptr, std::string pace = "realtime") {
    EngineSetup setup;
    setup.clock = &clock_;
    setup.make_executor = [this, cost](ExecutorSetup parts) {
      if (cost) {
        parts.cost = [this, cost](std::uint32_t unit, const FrameInfo&) {
          const Plan& plan = run_->plan();
          return cost(plan.nodes[static_cast<std::size_t>(plan.units[unit].nodes.front())].id);
        };
      }
      auto made = std::make_unique<DiscreteExecutor>(std::move(parts), clock_);
      executor_ = made.get();
      return made;
    };
    run_.emplace(yaml, std::move(setup), LoadOptions{{}, std::move(pace)});
  }

  FaultRun& run() { return *run_; }
  void on_event(std::function<void()> callback) { executor_->on_event(std::move(callback)); }
  // What `watch` saw of that many frames.
  std::vector<Seen> watch(std::int64_t frames) {
    start(frames);
    return wait();
  }
  void start(std::int64_t frames) {
    take_seen();
    RunOptions options;
    options.frames = frames;
    const Status status = run_->engine().start(options);
    ASSERT_TRUE(status.ok()) << status.message();
  }
  std::vector<Seen> wait() {
    const Status status = run_->wait();
    EXPECT_TRUE(status.ok()) << status.message();
    return take_seen();
  }

 private:
  ManualClock clock_;
  DiscreteExecutor* executor_ = nullptr;
  std::optional<FaultRun> run_;
};

std::string watching(const std::string& nodes, const std::string& inputs) {
  return "version: 1\nname: latest\nnodes:\n"
         "  - {id: cam, type: video_source, options: {uri: 'test:bars', width: 64, height: 64, fps: 30}}\n" +
         nodes + "  - {id: seen, type: watch, inputs: {" + inputs + "}}\n";
}

std::string with_fault(const std::string& options, const std::string& driven_by) {
  return watching("  - {id: bad, type: fault, inputs: cam, options: " + options +
                      "}\n"
                      "  - {id: pass, type: rate_limit, inputs: bad, options: {rate_hz: 1000}}\n"
                      "  - {id: end, type: null_sink, inputs: pass}\n",
                  "in: " + driven_by + ", newest: {from: bad, sync: latest}");
}

// 'pass' runs for a frame after 'bad' has spoken, and passes an empty list on.
TEST(Latest, AnEmptyListIsDataAndReplacesWhatWasThere) {
  Discrete discrete(with_fault("{does: nothing, at: 2, times: 3}", "pass"));
  const std::vector<Seen> seen = discrete.watch(8);
  ASSERT_EQ(seen.size(), 8u);
  for (const Seen& s : seen) {
    const bool empty = s.frame >= 2 && s.frame < 5;
    EXPECT_EQ(s.packets, empty ? 0u : 1u) << "frame " << s.frame;
    if (!empty) {
      EXPECT_EQ(s.number, s.frame);
    }
  }
}

TEST(Latest, AbsencesDoNotReplaceIt) {
  for (const char* does : {"drop", "fail", "throw"}) {
    SCOPED_TRACE(does);
    Discrete discrete(with_fault(std::string("{does: ") + does + ", at: 2, times: 3}", "cam"));
    const std::vector<Seen> seen = discrete.watch(8);
    ASSERT_EQ(seen.size(), 8u);
    for (const Seen& s : seen) {
      EXPECT_EQ(s.packets, 1u) << "frame " << s.frame;
      EXPECT_EQ(s.number, s.frame >= 2 && s.frame < 5 ? 1u : s.frame);
    }
  }
}

// No counting sink is behind it: its mailbox is its sink, and has taken every frame.
TEST(Latest, ASourceThatIsReadThroughAMailboxOnlyIsDelivered) {
  Discrete discrete(watching(
      "  - {id: door, type: video_source, options: {uri: 'test:noise', width: 64, height: 64, fps: 25}}\n",
      "in: cam, newest: {from: door, sync: latest}"));
  EXPECT_EQ(discrete.watch(10).size(), 10u);
  const RunReport report = discrete.run().report();
  EXPECT_EQ(report.sources[1].produced, 10u);
  EXPECT_EQ(report.sources[1].delivered, 10u);
}

// "delivered when taken": its only mailbox hangs on an output that the switch leaves.
TEST(Latest, ASourceWhoseMailboxGetsNothingIsFiltered) {
  Discrete discrete(watching(
      "  - {id: door, type: video_source, options: {uri: 'test:noise', width: 64, height: 64, fps: 25}}\n"
      "  - {id: way, type: switch, inputs: door, options: {to: b}}\n",
      "in: cam, newest: {from: way.a, sync: latest}"));
  EXPECT_EQ(discrete.watch(10).size(), 10u);
  const RunReport report = discrete.run().report();
  EXPECT_EQ(report.sources[1].produced, 10u);
  EXPECT_EQ(report.sources[1].delivered, 0u);
  EXPECT_EQ(count(report.sources[1].dropped, DropReason::kFiltered), 10u);
}

// A corrupt capture takes its number (rule 1), so the frame behind it is due no earlier for it.
TEST(Pace, AFrameBehindCorruptCapturesIsDueByItsNumber) {
  Discrete discrete(
      "version: 1\nname: pace\nnodes:\n"
      "  - {id: cam, type: stuck_source, options: {frames: 100, corrupt_at: [3, 4]}}\n"
      "  - {id: out, type: null_sink, inputs: cam}\n",
      nullptr, "5");
  discrete.watch(6);
  const RunReport report = discrete.run().report();
  EXPECT_EQ(report.sources[0].produced, 4u);
  EXPECT_EQ(report.sources[0].corrupt, 2u);
  EXPECT_DOUBLE_EQ(report.sinks[0].fps.value(), 3.0);  // three after the first, the last of them after 1 s
}

// A switch emits nothing on the output that it turned the frame away from: an absence, no empty list.
TEST(Latest, AnOutputThatASwitchLeavesKeepsItsContent) {
  Discrete discrete(
      watching("  - {id: way, type: switch, inputs: cam}\n"
               "  - {id: right, type: null_sink, inputs: way.b}\n",
               "in: cam, newest: {from: way.a, sync: latest}"));
  discrete.start(8);
  Engine& engine = discrete.run().engine();
  discrete.on_event([&] {
    if (engine.report().sinks[1].delivered != 4) return;
    EXPECT_TRUE(engine.set("way", "to", "b").ok());
  });
  const std::vector<Seen> seen = discrete.wait();
  ASSERT_EQ(seen.size(), 8u);
  EXPECT_GT(sink_of(discrete.run().report(), "right").delivered, 2u);
  const std::uint64_t last = seen.back().number;
  EXPECT_GE(last, 2u);
  EXPECT_LT(last, 6u);
  for (const Seen& s : seen) {
    EXPECT_EQ(s.packets, 1u) << "frame " << s.frame;
    EXPECT_EQ(s.number, std::min(s.frame, last));
  }
}

// face_preview on the manual clock: a camera at 30 fps, a model that takes 200 ms.
std::vector<Seen> preview(const std::string& max_age) {
  Discrete discrete(
      "version: 1\nname: preview\n"
      "models: {face: {path: data/models/face_detection_front_128x128.onnx}}\n"
      "nodes:\n"
      "  - {id: cam, type: video_source, options: {uri: 'test:bars', width: 64, height: 64, fps: 30}}\n"
      "  - {id: pre, type: preprocess, inputs: cam, options: {model: face, mean: 127.5, std: 127.5}}\n"
      "  - {id: face, type: infer, inputs: pre, options: {model: face, backends: [fake], fake: "
      "{latency_ms: 0}}}\n"
      "  - {id: boxes, type: detect, inputs: face, options: {decoder: blazeface}}\n"
      "  - {id: seen, type: watch, inputs: {in: cam, newest: {from: boxes, sync: latest" +
          max_age + "}}}\n",
      [](const std::string& node) { return from_ms(node == "face" ? 200 : 1); });
  return discrete.watch(600);
}

TEST(Latest, BoxesAreNeverOlderThanMaxAge) {
  const std::vector<Seen> seen = preview(", max_age_ms: 300");
  ASSERT_GT(seen.size(), 590u);
  int shown = 0, hidden = 0;
  for (const Seen& s : seen) {
    if (s.packets == 0) ++hidden;
    if (s.packets == 0) continue;
    ++shown;
    EXPECT_LE(s.age, from_ms(300)) << "frame " << s.frame;
    EXPECT_GE(s.age, from_ms(200)) << "the model takes that long";
  }
  EXPECT_GT(shown, 100);
  EXPECT_GT(hidden, 50)
      << "boxes grow older than 300 ms before the next ones come: the option was put to the test";
}

TEST(Latest, WithoutALimitTheNewestBoxesStay) {
  const std::vector<Seen> seen = preview("");
  ASSERT_GT(seen.size(), 590u);
  const auto first = std::find_if(seen.begin(), seen.end(), [](const Seen& s) { return s.packets > 0; });
  EXPECT_LT(first - seen.begin(), 10);
  std::uint64_t newest = 0;
  TimeNs oldest = 0;
  for (auto s = first; s != seen.end(); ++s) {
    EXPECT_EQ(s->packets, 1u) << "frame " << s->frame;
    EXPECT_GE(s->number, newest) << "it never goes back";
    newest = s->number;
    oldest = std::max(oldest, s->age);
  }
  EXPECT_GT(oldest, from_ms(300));
}

}  // namespace
}  // namespace sluice::testing
