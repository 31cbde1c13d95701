// Runs a plan on a real tbb::flow::graph: one flow-graph node per unit, TBB edges carry the messages and TBB
// schedules; the flow core alone decides. Only this room's tbb_* files include TBB.
#pragma once

#include <memory>

#include "framework/graph/executor.h"

namespace sluice {

// Workers run `worker` units; each unit with its own thread or lane gets `concurrency` threads. A source has
// a thread, or in lossless, when it only computes, the workers step it. With a manual clock its timers step
// all sources, and `wait_idle` says when it may be advanced.
class TbbExecutor final : public Executor {
 public:
  explicit TbbExecutor(ExecutorSetup setup);
  ~TbbExecutor() override;
  Status start() override;
  bool wait(double timeout_real_s) override;
  void shut_down() override;
  void source_rests(int source, bool rests) override;
  bool wait_source_drained(int source) override;

  // Manual clock only: blocks until no task and no thread has anything to do at the present instant.
  void wait_idle();

 protected:
  void carry_out(const Actions& actions) override;
  void wake_sources() override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice
