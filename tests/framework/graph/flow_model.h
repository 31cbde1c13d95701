// Random graphs and modelled units for the flow core: no packets, no nodes, only stamps that tell whether
// every unit saw the frames it should have seen.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "framework/graph/discrete_executor.h"
#include "framework/graph/executor.h"

namespace sluice::testing {

// How a modelled unit behaves; chances in percent.
struct UnitModel {
  int filter = 0, drop = 0, fail = 0, retry = 0, empty = 0, port_filter = 0;
  TimeNs cost_min = 0, cost_max = 0;
};

struct SourceModel {
  int frames = 20;
  TimeNs period = 0;  // 0: as fast as it is let
};

struct ModelGraph {
  FlowGraph flow;
  std::vector<UnitModel> units;
  std::vector<SourceModel> sources;
  std::uint64_t seed = 0;
  std::string text() const;
};

// 1..3 sources, up to 14 units each, joins of up to 4 inputs, sinks, branches that end in mailboxes (no
// sink).
ModelGraph random_graph(std::uint64_t seed);

// What the model saw that must never happen; empty = fine.
using Findings = std::vector<std::string>;

struct Tally {
  DropCounts reasons{};
  std::uint64_t wide_joins = 0;  // runs of units with three or more producers
  std::uint64_t empty_lists = 0;
  std::uint64_t frames = 0;
};

// Bodies, storage and sources of a ModelGraph. Decisions are pure functions of (seed, unit, frame number).
// Some units ask for a thread of their own. Thread-safe as far as an executor needs it; read the results
// after its end.
class Model : public Bodies, public FlowStorage {
 public:
  explicit Model(const ModelGraph& graph);
  ~Model() override;
  Outcome run(std::uint32_t unit, Slot slot, const FrameInfo& frame) override;
  void publish(std::uint32_t, Slot) override {}
  void release(std::uint32_t unit, Slot slot) override;

  CostModel cost() const;
  // With `cost()`, or (real clock) with bodies that spin for their cost, counted in microseconds instead of
  // milliseconds.
  ExecutorSetup setup(Clock& clock);
  ExecutorSetup setup_spinning(Clock& clock);
  void attach(Executor& executor, Clock& clock);
  // Compares the counters with the equations of contract section 3 and with what the model did itself.
  void check(const Executor& executor, Executor& core_owner);
  Findings& findings() { return findings_; }
  const Tally& tally() const { return tally_; }

 private:
  class Feed;
  struct Stamp {
    std::uint64_t number = UINT64_MAX;
    bool live = false;
  };
  std::uint64_t roll(std::uint32_t unit, const FrameInfo& frame, std::uint64_t salt) const;
  void find(const std::string& what);
  bool retries(std::uint32_t unit, const FrameInfo& frame);
  void check_inputs(std::uint32_t unit, Slot slot, const FrameInfo& frame);
  void check_order(std::uint32_t unit, const FrameInfo& frame);
  Stamp& stamp(Slot slot, std::uint32_t unit) { return stamps_[slot * graph_.flow.units.size() + unit]; }

  const ModelGraph& graph_;
  std::vector<std::unique_ptr<Feed>> feeds_;
  std::vector<Stamp> stamps_;
  std::vector<std::int64_t> last_number_;  // by unit
  std::set<std::pair<std::uint32_t, std::uint64_t>> retried_;
  std::vector<std::vector<NodeRun>> runs_;  // by slot * units + unit
  Executor* executor_ = nullptr;
  Clock* clock_ = nullptr;
  bool spins_ = false;
  std::mutex mutex_;  // guards what follows, and retried_
  Findings findings_;
  Tally tally_;
};

}  // namespace sluice::testing
