// Failures of nodes while a run goes on: the user hears of each kind once, then at most once a second with a
// count.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "framework/core/clock.h"
#include "framework/core/frame.h"
#include "framework/core/status.h"
#include "framework/plan/plan.h"

namespace sluice {

// Thread-safe. Not on the hot path: a node that works never comes here.
class Failures {
 public:
  Failures(const Plan& plan, const Clock& clock) : plan_(plan), clock_(clock), nodes_(plan.nodes.size()) {}
  void add(int node, const Status& status, const FrameInfo& frame);
  // "node 'x': frame 12 of 'camera': ...": the failure to blame when this node ended the run: the first one
  // under on_error: stop, else the last of many; and by which of these rules.
  std::string decisive(int node) const;

 private:
  struct PerNode {
    std::string first;
    std::string last;
    TimeNs told_at = -kNever / 2;
    std::uint64_t untold = 0;
  };
  const Plan& plan_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::vector<PerNode> nodes_;
};

}  // namespace sluice
