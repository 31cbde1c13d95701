// Which of the runs that wait for one accelerator goes first. No threads and no clock of its own: the lane of
// a real backend and a simulated device ask the same object.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "framework/core/clock.h"

namespace sluice {

// The higher priority goes first, then the earlier due time, then the earlier arrival. And how long this run
// may take.
struct RunOrder {
  int priority = 0;
  TimeNs due = kNever;
  TimeNs timeout =
      0;  // given up this long after it started, if the session's options do not do so before; 0: they alone
  TimeNs* ran = nullptr;  // gets how long it ran, without its waits; left alone where runs are gathered
};

inline bool more_urgent(const RunOrder& a, const RunOrder& b) {
  if (a.priority != b.priority) return a.priority > b.priority;
  return a.due < b.due;
}

// A run that later arrivals have overtaken this many times is not overtaken again, whatever its priority:
// beside a model that never pauses, one of low priority gets every ninth turn. A driver's own queue starves
// it (facts_devices: 300 ms alone, 30,000 ms beside a model of high priority).
constexpr int kMostOvertaken = 8;

// Not thread-safe. T: what stands for a run; cheap to move.
template <typename T>
class RunQueue {
 public:
  // Allocates for `most` runs at once; beyond them add() allocates.
  void reserve(std::size_t most) { waiting_.reserve(most); }
  bool empty() const { return waiting_.empty(); }
  std::size_t size() const { return waiting_.size(); }

  void add(T run, RunOrder order) { waiting_.push_back({std::move(run), order, 0}); }

  // The run whose turn it is. Precondition: not empty().
  T take() {
    auto next = std::find_if(waiting_.begin(), waiting_.end(),
                             [](const Waiting& run) { return run.overtaken >= kMostOvertaken; });
    if (next == waiting_.end()) {
      next = std::min_element(waiting_.begin(), waiting_.end(), [](const Waiting& a, const Waiting& b) {
        return more_urgent(a.order, b.order);
      });
    }
    for (auto earlier = waiting_.begin(); earlier != next; ++earlier) ++earlier->overtaken;
    T run = std::move(next->run);
    waiting_.erase(next);
    return run;
  }

 private:
  struct Waiting {
    T run;
    RunOrder order;
    int overtaken;
  };
  std::vector<Waiting> waiting_;  // in the order of arrival
};

}  // namespace sluice
