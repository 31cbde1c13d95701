// What the runtime gives to infer nodes (OpenContext::services): backends, models, sessions, and the report
// they write.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/clock.h"
#include "framework/core/status.h"
#include "inference/clip_meter.h"
#include "inference/inference.h"
#include "inference/session_table.h"
#include "inference/value_ranges.h"

namespace sluice {

// One infer node's entry while it runs. Written by the node's threads, read by anybody at any time.
class InferenceRecord {
 public:
  explicit InferenceRecord(InferenceEntry start) : entry_(std::move(start)) {}

  void add_run(TimeNs latency);
  // Who writes the node's quantised inputs; they outlive the record. Before the first frame.
  void judge_inputs_by(std::vector<const ClipMeter*> writers);
  // The node runs on `session` from now on.
  void choose(Choice choice, const Placement& placement, const SessionHandle& session);
  // False when that was said before.
  bool warn(std::string text);
  InferenceEntry snapshot() const;
  const std::string& node() const { return entry_.node; }  // never changes

 private:
  mutable std::mutex mutex_;
  InferenceEntry entry_;
  std::vector<const ClipMeter*> writers_;
  std::weak_ptr<SharedSession> session_;
  std::uint64_t abandoned_before_ = 0;  // in sessions that were replaced
};

struct InferenceSetup {
  std::vector<std::unique_ptr<Backend>> backends;        // in the order of `doctor`
  std::vector<ModelRequest> models;                      // of the plan, one per name and variant
  std::map<std::string, int, std::less<>> runs_at_once;  // by node: most frames of it
  // Nodes whose frames take routes of another model's variants, with which they exchange tensors: all on one
  // path.
  std::set<std::string, std::less<>> on_one_path;
  Clock* clock = nullptr;         // the run's; outlives the services
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
  // How many frames this node can have at once; 0: not known.
  int runs_at_once(std::string_view node) const;
  bool is_on_one_path(std::string_view node) const { return on_one_path_.contains(node); }
  // Whoever asks for the model's own path from now on gets this one.
  void set_path(std::string_view name, const std::string& path);
  // A new record; lives as long as the services.
  InferenceRecord& add_record(InferenceEntry start);
  // The record of this node; null: it has none.
  InferenceRecord* record(std::string_view node) const;
  // Where a node that writes quantised tensors counts what it cuts off; lives as long as the services.
  ClipMeter& add_clip_meter(std::string_view node, const std::string& input);
  // Of this node; null: it has none.
  const ClipMeter* clip_meter(std::string_view node) const;
  // The report's `inference` part, in the order in which the nodes were opened.
  std::vector<InferenceEntry> entries() const;

 private:
  Clock* clock_;
  ValueRanges* ranges_;
  std::vector<std::unique_ptr<Backend>> backends_;
  std::vector<ModelRequest> models_;
  std::map<std::string, int, std::less<>> runs_at_once_;
  std::set<std::string, std::less<>> on_one_path_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<InferenceRecord>> records_;
  std::vector<std::unique_ptr<ClipMeter>> clip_meters_;
  SessionTable sessions_;
};

}  // namespace sluice
