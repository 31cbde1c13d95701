// RunReport: what a run tells at its end (contract section 5), as plain data and as JSON. What is not known
// is `null` there and nothing here, never 0.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/frame.h"
#include "framework/core/histogram.h"

namespace sluice {

enum class RunStatus : std::uint8_t {
  kCompleted,  // the sources ended, or --frames or --duration was reached
  kStopped,    // a signal or stop()
  kFailed,     // exit 1
};
std::string_view name_of(RunStatus status);

// Milliseconds.
struct LatencyFigures {
  std::optional<double> mean, p50, p95, p99, max;
};
// Nothing in it when the histogram is empty.
LatencyFigures figures_of(const Histogram& histogram);

struct SourceReport {
  std::string id;
  std::uint64_t produced = 0;
  std::uint64_t delivered = 0;
  DropCounts dropped{};
  std::uint64_t corrupt = 0;
  std::uint64_t reconnects = 0;
  std::uint64_t format_changes = 0;
  std::optional<std::string> error;  // why it ended, when by error
};

struct SinkReport {
  std::string id;
  std::uint64_t due = 0;
  std::uint64_t delivered = 0;
  DropCounts dropped{};
  std::uint64_t filtered = 0;
  std::uint64_t unwritten = 0;  // delivered, but lost when the file could not be finished
  std::optional<double> fps;
  LatencyFigures latency;  // p50, p95
};

struct NodeReport {
  std::string id;
  std::string type;
  std::uint64_t in = 0;
  std::uint64_t processed = 0;
  std::uint64_t filtered = 0;
  DropCounts dropped{};
  std::uint64_t packets_out = 0;
  std::uint64_t failed_items = 0;  // elements of lists that failed
  LatencyFigures busy;             // p50, p95
  LatencyFigures wait;             // p50, p95
};

struct DecisionReport {
  double at_s = 0;
  std::string backend;
  std::string variant;  // empty: the model's own path
  std::optional<std::string> performance_mode;
  int step = 0;
  std::string reason;
};

struct OperatorsReport {
  int total = 0;
  int on_backend = 0;
  std::map<std::string, int> elsewhere;
};

struct InferenceReport {
  std::string node;
  std::string model;
  std::string variant;  // the last one
  std::string backend;  // the last one
  std::vector<std::string> requested;
  bool simulated = false;                       // something of it: its latency covers all that ran
  std::vector<std::string> simulated_backends;  // which of the backends that ran it
  std::optional<OperatorsReport> operators;
  LatencyFigures latency;  // p50, p95; over all backends
  std::optional<double> saturated_fraction;
  std::vector<DecisionReport> decisions;  // the first and the last ones (InferenceEntry::kMostDecisions)
  std::uint64_t decisions_left_out = 0;   // so many came after the first
  std::vector<std::string> warnings;
};

// An option that was set while the run went on.
struct SettingReport {
  double at_s = 0;
  std::string node;
  std::string option;
  std::string value;
};

// What a trace took and what it had no room for.
struct TraceReport {
  std::uint64_t events = 0;
  std::uint64_t lost = 0;
};

// Of the buffers, what lies in memory that an accelerator reads and writes in place.
struct SharedMemoryReport {
  double pool_mb = 0;
  std::string absent;  // why a node that could have it has none; empty: all have it
};

// What was known of the device's heat and power during the run.
struct DeviceReport {
  std::string telemetry;               // "sysfs", "simulated", "trace", "none"
  std::optional<std::string> profile;  // of a simulated device
  std::optional<double> ambient_c;
  struct Heat {
    std::string role;
    std::optional<double> mean, max;  // none: not known once
  };
  std::vector<Heat> temperature_c;
  std::optional<double> power_w;  // mean
  std::optional<double> energy_j;
  std::vector<std::string> notices;  // sensors that were excluded, and why
  struct Idle {
    double seconds = 0;
    bool steady = false;
  };
  std::optional<Idle> idled_before;  // of RunOptions::idle_before_s; not in the document
};

struct RunReport {
  static constexpr std::size_t kMostSettings = 1000;
  std::string pipeline;
  RunStatus status = RunStatus::kCompleted;
  bool simulated = false;
  double wall_s = 0;
  std::optional<double> fps;
  LatencyFigures latency;
  LatencyFigures after_source;
  std::optional<double> core_ms_per_frame;
  std::optional<double> peak_rss_mb, rss_mb, pool_mb;
  std::optional<SharedMemoryReport> shared_memory;  // none: no node lists a backend that could share
  std::optional<double> allocations_per_frame, allocations_per_frame_total;
  std::optional<double> page_faults_per_frame;  // of the process, in the steady part
  std::optional<std::uint64_t> in_flight;       // reports of a run that goes on
  std::optional<std::string> error;             // why it failed
  std::optional<TraceReport> trace;             // of runs with one
  std::vector<SourceReport> sources;
  std::vector<SinkReport> sinks;
  std::vector<NodeReport> nodes;
  std::vector<InferenceReport> inference;
  std::vector<SettingReport> settings;  // the last ones, kMostSettings at most
  std::uint64_t settings_left_out = 0;  // so many came before them
  std::optional<DeviceReport> device;
  std::vector<std::string> warnings;
};

// The contract's JSON document, indented, with a line end. Numbers are rounded to six decimals, passwords of
// addresses masked.
std::string to_json(const RunReport& report);

}  // namespace sluice
