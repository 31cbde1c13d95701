// What the selector knows of each way to run a model, and what the user asked of it. Plain data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inference/telemetry/readings.h"

namespace sluice {

// Most candidates of one node; decisions hold their forecasts in place.
constexpr std::size_t kMostCandidates = 32;

// Where a figure comes from; said wherever it is printed.
enum class Basis : std::uint8_t {
  kUnknown,    // there is none
  kAssumed,    // an assumption of ours
  kPublished,  // by the vendor, for another unit of the same chip
  kModelled,   // computed from measured figures
  kMeasured,   // here, on this device
};

struct Estimate {
  double value = 0;
  Basis basis = Basis::kUnknown;
  bool known() const { return basis != Basis::kUnknown; }
};

// Backend x variant x performance mode.
struct SelectorCandidate {
  std::string backend;
  std::string variant;             // empty: the model's own path
  std::string performance_mode;    // empty: the backend has none
  UnitRole unit = UnitRole::kCpu;  // whose heat its runs make
  int preference = 0;              // position in `backends`; lower is wanted more
  double operator_share = 1.0;     // of the model's operators that the backend takes, 0..1
  std::optional<double> snr_db;    // against the float model; none: unknown
  bool same_input_size = true;     // as the model's own path: `min_snr_db` binds only these
  std::string unusable;            // why this model cannot run there at all (tensor limits); empty: it can
  Estimate latency_ms;             // one run, median, cool device
  Estimate latency_p95_ms;
  Estimate energy_mj;     // one run, above idle
  double switch_ms = 0;   // frames wait this long when it is switched to
  double warm_up_ms = 0;  // from opening its session to the first steady run
  std::uint64_t memory_bytes = 0;
};

enum class PolicyKind : std::uint8_t { kFixed, kLatency, kThroughput, kEfficiency, kBalanced, kSustained };

// One step of `degrade`; steps add up, a later one wins on the same key.
struct LadderStep {
  std::optional<std::string> performance_mode;
  std::optional<std::string> variant;
  std::optional<std::string> backend;
  std::optional<double> rate_hz;
};

// The `selector` keys of one infer node (contract sections 1 and 6).
struct SelectorPolicy {
  PolicyKind kind = PolicyKind::kFixed;
  double target_fps = 0;  // 0: as many as there are
  std::optional<double> latency_budget_ms;
  std::optional<double> power_budget_w;
  std::optional<double> max_temperature_c;
  std::optional<double> min_snr_db;
  double dwell_s = 10;
  double min_gain = 0.15;
  std::vector<LadderStep> degrade;
};

std::string_view name_of(PolicyKind kind);
// None for an unknown name.
std::optional<PolicyKind> policy_of(std::string_view name);
std::string_view name_of(Basis basis);
// "htp, variant w8a16, balanced".
std::string describe(const SelectorCandidate& candidate);

}  // namespace sluice
