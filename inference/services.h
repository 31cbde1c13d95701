// What the runtime gives to infer nodes (OpenContext::services): backends, models, sessions, and the report
// they write.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/clock.h"
#include "framework/core/status.h"
#include "inference/inference.h"
#include "inference/session_table.h"
#include "inference/value_ranges.h"

namespace sluice {

// One infer node's entry while it runs. Written by the node's threads, read by anybody at any time.
class InferenceRecord {
 public:
  explicit InferenceRecord(InferenceEntry start) : entry_(std::move(start)) {}

  void add_run(TimeNs latency);
  // Values of quantised inputs at the ends of their range, and all of them.
  void add_saturation(std::uint64_t at_ends, std::uint64_t values);
  // The node runs on `session` from now on.
  void choose(Choice choice, const Placement& placement, const SessionHandle& session);
  // False when that was said before.
  bool warn(std::string text);
  InferenceEntry snapshot() const;

 private:
  mutable std::mutex mutex_;
  InferenceEntry entry_;
  std::uint64_t saturated_ = 0;
  std::uint64_t quantised_values_ = 0;
  std::weak_ptr<SharedSession> session_;
  std::uint64_t abandoned_before_ = 0;  // in sessions that were replaced
};

struct InferenceSetup {
  std::vector<std::unique_ptr<Backend>> backends;  // in the order of `doctor`
  std::vector<ModelRequest> models;                // of the plan, one per name and variant
  Clock* clock = nullptr;                          // the run's; outlives the services
  ValueRanges* ranges = nullptr;  // gets what models read and write; may be null; outlives the services
};

// One per pipeline; outlives its nodes. Thread-safe.
class InferenceServices {
 public:
  explicit InferenceServices(InferenceSetup setup);

  Clock& clock() const { return *clock_; }
  SessionTable& sessions() { return sessions_; }
  ValueRanges* ranges() const { return ranges_; }
  const std::vector<std::unique_ptr<Backend>>& backends() const { return backends_; }
  // Null for a name that this build does not know.
  Backend* backend(std::string_view name) const;
  // kInvalid for a name or variant that the plan does not have.
  Result<ModelRequest> model(std::string_view name, std::string_view variant = {}) const;
  // Whoever asks for the model's own path from now on gets this one.
  void set_path(std::string_view name, const std::string& path);
  // A new record; lives as long as the services.
  InferenceRecord& add_record(InferenceEntry start);
  // The report's `inference` part, in the order in which the nodes were opened.
  std::vector<InferenceEntry> entries() const;

 private:
  Clock* clock_;
  ValueRanges* ranges_;
  std::vector<std::unique_ptr<Backend>> backends_;
  std::vector<ModelRequest> models_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<InferenceRecord>> records_;
  SessionTable sessions_;
};

}  // namespace sluice
