// What the planner sizes is enough: random pipelines, planned by the real planner, on real pools and real
// node bodies, in the worst order of events.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "framework/graph/node_bodies.h"
#include "framework/graph/pools.h"
#include "tests/framework/graph/adverse_executor.h"
#include "tests/framework/graph/random_pipeline.h"

namespace sluice::testing {
namespace {

constexpr std::uint64_t kPipelines = 2000;
constexpr std::uint64_t kOrdersEach = 3;
constexpr std::uint64_t kOrders = 200;
constexpr std::uint64_t kFrames = 25;
constexpr std::size_t kRowAlign = 64;
const ImageType kPicture{PixelFormat::kGray, 16, 16, {}, 0};

// Takes its pictures from the plan's pool as a real source does.
class PoolFeed final : public PatientFeed {
 public:
  PoolFeed(int source, OutputPools& pools) : source_(source), pools_(pools) {}
  void attach(NodeBodies& bodies) { bodies_ = &bodies; }
  TimeNs next_due() override { return 0; }
  TimeNs enter_due() override { return 0; }
  bool would_wait() const override {
    const auto all_out = [](const PoolStats& s) { return s.in_use == s.buffers; };
    return !kept_ && number_ < kFrames &&
           (all_out(pools_.packets->stats()) || all_out(pools_.buffers->stats()));
  }
  Result<FrameInfo> next() override {
    if (number_ == kFrames) return end_of_stream();
    FrameInfo frame;
    frame.source = static_cast<std::uint16_t>(source_);
    frame.number = number_++;
    BufferRef buffer = pools_.buffers->acquire();
    Packet packet = pools_.packets->acquire(frame);
    if (!buffer || !packet) return pool_empty();
    lay_out(kPicture, std::move(buffer), kRowAlign, *packet.edit<Image>());
    kept_ = std::move(packet);
    return frame;
  }
  void store(Slot slot) override { bodies_->store_source(source_, slot, std::move(kept_)); }
  void discard() override { kept_.reset(); }
  void interrupt() override {}

 private:
  const int source_;
  OutputPools& pools_;
  NodeBodies* bodies_ = nullptr;
  Packet kept_;
  std::uint64_t number_ = 0;
};

// One pipeline, ready to run.
class PipelineRun {
 public:
  PipelineRun(const Plan& plan, std::uint64_t seed) : plan_(plan), flow_(make_flow_graph(plan)) {
    auto pools = Pools::create(plan, [this](int node) { available(node); });
    EXPECT_TRUE(pools.ok()) << pools.status().message();
    pools_ = std::move(*pools);
    make_buffers();
    nodes_ = make_random_nodes(plan, complaints_);
    std::vector<Node*> nodes;
    nodes.reserve(nodes_.size());
    for (const auto& node : nodes_) nodes.push_back(node.get());
    bodies_ = std::make_unique<NodeBodies>(
        plan, flow_, std::move(nodes), *pools_, clock_,
        [this](int node, const Status& status, const FrameInfo&) {
          complaints_.add(plan_.nodes[static_cast<std::size_t>(node)].id + ": " + status.message());
        });
    make_executor(seed);
  }

  // What is stuck inside comes back when nobody is left to hear of it.
  ~PipelineRun() { pools_->stop_telling(); }

  // An application keeps this many packets of the node's first output, and never lets go.
  void keep(const std::string& id, int packets) {
    const auto node = std::ranges::find(plan_.nodes, id, &NodePlan::id);
    PacketPool& pool = *pools_->at(static_cast<int>(node - plan_.nodes.begin()), 0).packets;
    for (int i = 0; i < packets; ++i) kept_.push_back(pool.acquire({}));
  }

  // Everything that went wrong, empty if nothing did.
  std::string run() {
    if (!executor_->wait(0)) return "stuck after " + executor_->stuck() + levels();
    for (const std::string& complaint : complaints_.all()) return complaint;
    if (executor_->core_for_tests().protocol_violations() > 0) return "a message came twice";
    counters_ = executor_->counters();
    return check();
  }
  std::uint64_t retries() const { return executor_->retries(); }

 private:
  void available(int node) {
    if (executor_ && !plan_.nodes[static_cast<std::size_t>(node)].declaration->source)
      executor_->resume(static_cast<std::uint32_t>(plan_.nodes[static_cast<std::size_t>(node)].unit));
  }

  // As the probe does once the size of the pictures is known.
  void make_buffers() {
    const auto bytes = image_bytes(kPicture, kRowAlign);
    for (std::size_t n = 0; n < plan_.nodes.size(); ++n) {
      for (std::size_t o = 0; o < plan_.nodes[n].outputs.size(); ++o) {
        const int node = static_cast<int>(n), output = static_cast<int>(o);
        const OutputPools& pools = pools_->at(node, output);
        if (!pools.packets || pools.packets->type() != payload_type<Image>()) continue;
        EXPECT_TRUE(pools_->make_buffers(node, output, *bytes, 0).ok());
      }
    }
  }

  void make_executor(std::uint64_t seed) {
    ExecutorSetup setup;
    setup.graph = flow_;
    for (const UnitPlan& unit : plan_.units)
      setup.threads.push_back(plan_.nodes[static_cast<std::size_t>(unit.nodes.front())].thread);
    std::vector<PatientFeed*> patient;
    for (std::size_t s = 0; s < plan_.sources.size(); ++s) {
      feeds_.push_back(std::make_unique<PoolFeed>(static_cast<int>(s), pools_->at(plan_.sources[s].node, 0)));
      feeds_.back()->attach(*bodies_);
      setup.feeds.push_back(feeds_.back().get());
      patient.push_back(feeds_.back().get());
    }
    setup.bodies = bodies_.get();
    setup.storage = bodies_.get();
    setup.clock = &clock_;
    executor_ = std::make_unique<AdverseExecutor>(std::move(setup), std::move(patient), seed);
  }

  std::string levels() const {
    std::string out;
    for (const NamedPool& p : pools_->named_stats()) {
      out += p.name + ": " + std::to_string(p.stats.in_use) + " of " + std::to_string(p.stats.buffers) +
             " out, " + std::to_string(p.stats.exhausted) + " times empty\n";
    }
    return out;
  }

  std::string check() const {
    for (std::size_t n = 0; n < plan_.nodes.size(); ++n) {
      const NodeCounters& node = counters_.nodes[n];
      const std::string& id = plan_.nodes[n].id;
      if (node.packets_out < node.processed && !plan_.nodes[n].outputs.empty())
        return fmt::format("'{}' ran for frames without making anything", id);
      const std::string wrong = check_drops(node.dropped);
      if (!wrong.empty()) return fmt::format("'{}': {}\n{}", id, wrong, levels());
    }
    for (const SourceCounters& s : counters_.sources) {
      if (s.produced != kFrames) return "not all frames were produced";
      const std::string wrong = check_drops(s.dropped);
      if (!wrong.empty()) return "source: " + wrong + "\n" + levels();
    }
    return {};
  }

  std::string check_drops(const DropCounts& dropped) const {
    for (std::size_t r = 1; r < kDropReasons; ++r) {
      const auto reason = static_cast<DropReason>(r);
      if (dropped[r] == 0 || reason == DropReason::kFiltered) continue;
      if (plan_.lossless || reason == DropReason::kPoolEmpty)
        return std::to_string(dropped[r]) + " dropped: " + std::string(name_of(reason));
    }
    return {};
  }

  const Plan& plan_;
  const FlowGraph flow_;
  ManualClock clock_;
  Complaints complaints_;
  std::unique_ptr<Pools> pools_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::unique_ptr<NodeBodies> bodies_;
  std::vector<std::unique_ptr<PoolFeed>> feeds_;
  std::unique_ptr<AdverseExecutor> executor_;
  FlowCounters counters_;
  std::vector<Packet> kept_;
};

// What went wrong with a pipeline of ours in any of many orders of events; empty if nothing did.
std::string wrong_in_any_order(const std::string& nodes, const std::string& flow) {
  const std::string text = "version: 1\nname: ours\nnodes:\n" + nodes + "flow: {" + flow + "}\n";
  const RandomPipeline pipeline = planned(text, 4);
  for (std::uint64_t seed = 1; seed <= kOrders; ++seed) {
    const std::string wrong = PipelineRun(*pipeline.plan, seed).run();
    if (!wrong.empty()) return "seed " + std::to_string(seed) + ": " + wrong;
  }
  return {};
}

TEST(PlannedPools, AreEnoughInTheWorstOrder) {
  std::uint64_t retries = 0;
  for (std::uint64_t seed = 1; seed <= kPipelines; ++seed) {
    const RandomPipeline pipeline = random_pipeline(seed);
    for (std::uint64_t order = 0; order < kOrdersEach; ++order) {
      PipelineRun run(*pipeline.plan, mixed(seed, order));
      const std::string wrong = run.run();
      ASSERT_EQ(wrong, "") << "seed " << seed << ", order " << order << "\n" << pipeline.text;
      retries += run.retries();
    }
  }
  EXPECT_GE(retries, 30U) << "hardly a node ever waited for the reader of its tensor";
}

// Frames that wait for the one they overtook hold nothing that it needs to be made.
TEST(PlannedPools, TheOvertakenFrameFindsABuffer) {
  const std::string nodes =
      "  - {id: cam, type: source_o}\n"
      "  - {id: par, type: make2_p, inputs: cam}\n"
      "  - {id: out, type: sink_o, inputs: par.o0}\n";
  const std::string flow = "mode: lossless, max_in_flight: 12";
  EXPECT_EQ(wrong_in_any_order(nodes, flow), "") << "nobody reads o1";
  EXPECT_EQ(
      wrong_in_any_order(nodes + "  - {id: seen, type: join_w, inputs: {in: cam, more: {from: par.o1, sync: "
                                 "latest}}}\n"
                                 "  - {id: out2, type: sink_o, inputs: seen.o0}\n",
                         flow),
      "")
      << "o1 is read through a mailbox";
}

// What an application keeps of a node that overtakes makes it slower, but the frame that all others wait for
// finds a buffer as long as there is one.
TEST(PlannedPools, TheOvertakenFrameFindsABufferAlsoWhereOthersAreKept) {
  const std::string text =
      "version: 1\nname: ours\nnodes:\n"
      "  - {id: cam, type: source_o}\n"
      "  - {id: before, type: infer_w, inputs: cam, options: {concurrency: 4}}\n"
      "  - {id: par, type: infer_w, inputs: before, options: {concurrency: 3}}\n"
      "  - {id: out, type: sink_o, inputs: par.o0}\n"
      "flow: {mode: lossless, max_in_flight: 8}\n";
  const RandomPipeline pipeline = planned(text, 4);
  for (int kept = 1; kept < 8; ++kept) {
    for (std::uint64_t seed = 1; seed <= kOrders; ++seed) {
      PipelineRun run(*pipeline.plan, seed);
      run.keep("par", kept);
      ASSERT_EQ(run.run(), "") << "seed " << seed << ", kept " << kept;
    }
  }
}

// A node that takes frames in order waits for its reader's, also behind and before one that overtakes.
TEST(PlannedPools, ANodeThatWaitsForItsReaderGoesOn) {
  EXPECT_EQ(wrong_in_any_order("  - {id: cam, type: source_o}\n"
                               "  - {id: first, type: make1_w, inputs: cam}\n"
                               "  - {id: over, type: infer_w, inputs: first, options: {concurrency: 4}}\n"
                               "  - {id: last, type: make1_w, inputs: over.o0}\n"
                               "  - {id: out, type: sink_o, inputs: last}\n",
                               "mode: lossless, max_in_flight: 12"),
            "");
}

// What a parallel node overtakes with waits in front of a reader that takes frames in order.
TEST(PlannedPools, RealtimeKeepsWhatOvertookAnother) {
  EXPECT_EQ(wrong_in_any_order("  - {id: cam, type: source_o}\n"
                               "  - {id: par, type: make1_p, inputs: cam}\n"
                               "  - {id: out, type: sink_o, inputs: par}\n"
                               "  - {id: slow, type: infer_w, inputs: cam, options: {concurrency: 4}}\n"
                               "  - {id: out2, type: sink_o, inputs: slow.o0}\n",
                               "mode: realtime"),
            "");
}

// Nor does a branch that no sink waits for pile up frames, which hold no credit there, behind a run that does
// not end.
TEST(PlannedPools, ABranchWithoutASinkIsBoundedBehindAParallelNode) {
  EXPECT_EQ(wrong_in_any_order("  - {id: cam, type: source_o}\n"
                               "  - {id: par, type: make1_p, inputs: cam}\n"
                               "  - {id: last, type: make1_w, inputs: par}\n"
                               "  - {id: both, type: join_w, inputs: {in: cam, more: last}}\n"
                               "  - {id: show, type: join_w, inputs: {in: cam, more: {from: both.o0, sync: "
                               "latest}}}\n"
                               "  - {id: out, type: sink_o, inputs: show.o0}\n",
                               "mode: realtime"),
            "");
}

// A chain whose second node waits for a buffer finds its input when it goes on.
TEST(PlannedPools, AChainThatWaitsKeepsItsInput) {
  EXPECT_EQ(wrong_in_any_order("  - {id: cam, type: source_o}\n"
                               "  - {id: first, type: make1_c, inputs: cam}\n"
                               "  - {id: second, type: make1_c, inputs: first}\n"
                               "  - {id: out, type: sink_o, inputs: {in: {from: second, capacity: 1}}}\n",
                               "mode: lossless, max_in_flight: 12"),
            "");
}

// What a switch turned away is an absence for the node behind it, also where both could share a task.
TEST(PlannedPools, BehindASwitchNothingRunsForWhatItTurnedAway) {
  EXPECT_EQ(wrong_in_any_order("  - {id: cam, type: source_o}\n"
                               "  - {id: gate, type: switch_c, inputs: cam}\n"
                               "  - {id: next, type: make1_c, inputs: gate.o0}\n"
                               "  - {id: out, type: sink_o, inputs: next}\n",
                               "mode: lossless"),
            "");
}

// A node that passes on what it found in a mailbox keeps a packet for each of its own frames.
TEST(PlannedPools, WhatIsPassedOnFromAMailboxIsCounted) {
  EXPECT_EQ(wrong_in_any_order(
                "  - {id: cam, type: source_o}\n"
                "  - {id: made, type: make1_w, inputs: cam}\n"
                "  - {id: out, type: sink_o, inputs: made}\n"
                "  - {id: cam2, type: source_o}\n"
                "  - {id: late, type: carry_w, inputs: {in: {from: made, sync: latest}, more: cam2}}\n"
                "  - {id: slow, type: infer_w, inputs: cam2, options: {concurrency: 4}}\n"
                "  - {id: both, type: join_w, inputs: {in: late.o0, more: slow.o0}}\n"
                "  - {id: out2, type: sink_o, inputs: both.o0}\n",
                "mode: realtime"),
            "");
}

}  // namespace
}  // namespace sluice::testing
