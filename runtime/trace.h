// A run's trace: what ran when, in which thread, what waited and what was lost, for ui.perfetto.dev or
// chrome://tracing.
#pragma once

#include <atomic>
#include <boost/lockfree/spsc_queue.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "framework/core/clock.h"
#include "framework/core/status.h"
#include "framework/graph/flow_events.h"
#include "framework/graph/pools.h"
#include "framework/plan/plan.h"
#include "runtime/atomic_file.h"
#include "runtime/report.h"
#include "runtime/trace_json.h"

namespace sluice {

// Memory is bounded: events go through a ring of fixed size (the flow core writes, one thread of its own
// reads, formats and writes to the file), and the file ends at `max_bytes`. What finds no place in either is
// counted as lost, in the trace and in the report. The observer's side neither allocates nor waits.
class Trace final : public FlowObserver {
 public:
  static constexpr std::size_t kRingEvents = 1 << 16;
  static constexpr std::size_t kMaxBytes = std::size_t{1} << 30;

  Trace(const Plan& plan, Clock& clock, std::size_t max_bytes = kMaxBytes);
  // Without `finish`: what `path` named before stays as it was.
  ~Trace() override;

  // Creates the file beside `path` and starts writing. kFailed: it cannot be written there. `pools` may be
  // null: no counters of pools then; else it outlives `finish`.
  Status start(const std::string& path, const Pools* pools);
  void on_event(const FlowEvent& event) override;
  // Writes what is left, and the decisions and settings of the report of the run that began at `start` as
  // marks, and replaces `path`. After the last event.
  Status finish(const RunReport& report, TimeNs start);
  // Any thread, at any time.
  TraceReport figures() const;

 private:
  void work();
  void drain();
  void sample_pools();
  void flush();

  Clock& clock_;
  const std::size_t max_bytes_;
  const Pools* pools_ = nullptr;
  TraceJson json_;
  boost::lockfree::spsc_queue<FlowEvent, boost::lockfree::capacity<kRingEvents>> ring_;
  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::uint64_t> lost_{0};
  std::uint64_t lost_told_ = 0;  // how many of them the trace says already
  std::size_t bytes_ = 0;
  std::optional<FileReplacement> file_;
  Status failure_;
  std::atomic<bool> over_{false};
  std::thread thread_;
};

}  // namespace sluice
