// Runs a pipeline with nodes that go wrong, and checks what must hold whatever happens.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "runtime/engine.h"
#include "tests/runtime/faults/fault_nodes.h"

namespace sluice::testing {

// What is wrong with a final report, by the equations of contract section 3 rule 4; empty: nothing.
std::string broken_equations(const RunReport& report);

int threads_now();
int descriptors_now();
// Runs that were abandoned so far: what hangs in them, and its clock, stay as long as the process.
std::size_t abandoned_runs();
// The kernel may show a thread for a moment after it was joined.
bool threads_come_down_to(int threads);

// One run. Destroying it leaves a run that was abandoned in memory, as Pipeline does.
class FaultRun {
 public:
  explicit FaultRun(const std::string& yaml, EngineSetup setup = {}, const LoadOptions& options = {});
  ~FaultRun();
  FaultRun(const FaultRun&) = delete;

  Engine& engine() { return *engine_; }
  const Plan& plan() const { return pipeline_->plan(); }
  // Starts it and waits for its end: how it ended.
  Status run(const RunOptions& options = {});
  Status wait();
  // The final report; its equations are checked.
  RunReport report() const;

 private:
  std::optional<Pipeline> pipeline_;  // only for its plan
  std::unique_ptr<Engine> engine_;
};

const NodeReport& node_of(const RunReport& report, std::string_view id);
const SinkReport& sink_of(const RunReport& report, std::string_view id);
std::uint64_t count(const DropCounts& counts, DropReason reason);

}  // namespace sluice::testing
