#include "runtime/thermal/thermal_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "framework/core/redact.h"
#include "runtime/thermal/chart.h"

namespace sluice {
namespace {

std::string cell(const std::optional<double>& value, int decimals, std::string_view unknown = "-") {
  return value ? fmt::format("{:.{}f}", *value, decimals) : std::string(unknown);
}

std::optional<double> scaled(const std::optional<double>& value, double factor) {
  return value ? std::optional(*value * factor) : std::nullopt;
}

std::string aligned(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      out += c == 0 ? fmt::format("{:<{}}", row[c], widths[c]) : fmt::format("  {:>{}}", row[c], widths[c]);
    }
    out += "\n";
  }
  return out;
}

std::string change(const std::optional<double>& a, const std::optional<double>& b) {
  if (!a || !b || *a == 0) return "-";
  return fmt::format("{:+.1f} %", (*b / *a - 1) * 100);
}

// What is to be known of the runs, each once.
std::string notes(const ThermalReport& report) {
  std::vector<std::string> told;
  std::string out;
  for (const ThermalRun& run : report.runs) {
    for (const std::string& notice : run.notices) {
      if (std::find(told.begin(), told.end(), notice) != told.end()) continue;
      told.push_back(notice);
      out += "note: " + redact_url(notice) + "\n";
    }
  }
  return out;
}

// The run of the other test with which one is compared.
const ThermalRun* counterpart(const ThermalRun& run, const ThermalReport& other) {
  const auto found = std::find_if(other.runs.begin(), other.runs.end(), [&](const ThermalRun& r) {
    return r.policy == run.policy && r.repetition == run.repetition;
  });
  return found == other.runs.end() ? nullptr : &*found;
}

// Runs that the other test does not have are said, not left out in silence.
std::string alone(const char* name, const ThermalReport& report, const ThermalReport& other) {
  std::string out;
  for (const ThermalRun& run : report.runs) {
    if (counterpart(run, other)) continue;
    const std::string which = run.repetition > 1 ? fmt::format(", repetition {}", run.repetition) : "";
    out += fmt::format("note: only {} has a run of policy {}{}\n", name, run.policy, which);
  }
  return out;
}

}  // namespace

std::string device_words(const ThermalReport& report) {
  std::string out = report.simulated ? "simulated " + report.device : "this machine";
  if (!report.readings.empty()) out += ", readings simulated (profile " + report.readings + ")";
  if (const auto backends = simulated_backends(report.runs); !backends.empty())
    out += fmt::format(", simulated backend {}", fmt::join(backends, ", "));
  if (report.ambient_c) out += fmt::format(" at {:g} degrees C", *report.ambient_c);
  return out + ", load " + time_text(report.duration_s);
}

std::string infer_words(const ThermalWindow::Infer& infer) {
  std::string out = infer.backend;
  if (!infer.variant.empty()) out += " " + infer.variant;
  if (!infer.performance_mode.empty()) out += " " + infer.performance_mode;
  if (infer.step > 0) out += fmt::format(", step {}", infer.step);
  return out;
}

std::vector<std::string> summary_head() {
  return {"policy",    "peak fps",  "sustained fps",    "stability", "10 % lost after",
          "worst fps", "worst p95", "energy per frame", "switches"};
}

std::vector<std::string> summary_row(const ThermalRun& run) {
  const ThermalResults& r = run.results;
  std::string name = run.policy;
  if (run.repetition > 1) name += fmt::format(" ({})", run.repetition);
  if (!run.complete) name += " (incomplete)";
  return {name,
          cell(r.peak_fps, 1),
          cell(r.sustained_fps, 1),
          cell(scaled(r.stability, 100), 1) + (r.stability ? " %" : ""),
          r.time_to_10pct_loss_s ? time_text(*r.time_to_10pct_loss_s)
          : r.peak_fps           ? "never"
                                 : "-",
          cell(r.worst_fps, 1),
          cell(r.p95_ms, 1) + (r.p95_ms ? " ms" : ""),
          cell(scaled(r.energy_per_frame_j, 1e3), 1) + (r.energy_per_frame_j ? " mJ" : ""),
          std::to_string(r.switches)};
}

std::string thermal_text(const ThermalReport& report) {
  std::vector<std::vector<std::string>> rows = {summary_head()};
  for (const ThermalRun& run : report.runs) rows.push_back(summary_row(run));
  return report.pipeline + " on " + device_words(report) + "\n" + aligned(rows) + notes(report);
}

std::string compare_text(const ThermalReport& a, const ThermalReport& b) {
  std::vector<std::vector<std::string>> rows = {{"policy", "figure", "A", "B", "change"}};
  for (const ThermalRun& left : a.runs) {
    const ThermalRun* const right = counterpart(left, b);
    if (!right) continue;
    const auto add = [&](const char* figure, const std::optional<double>& x, const std::optional<double>& y,
                         int decimals) {
      rows.push_back({left.policy, figure, cell(x, decimals), cell(y, decimals), change(x, y)});
    };
    const ThermalResults &x = left.results, &y = right->results;
    add("peak fps", x.peak_fps, y.peak_fps, 2);
    add("sustained fps", x.sustained_fps, y.sustained_fps, 2);
    add("stability", x.stability, y.stability, 3);
    add("worst p95 ms", x.p95_ms, y.p95_ms, 2);
    add("energy per frame mJ", scaled(x.energy_per_frame_j, 1e3), scaled(y.energy_per_frame_j, 1e3), 2);
    add("switches", static_cast<double>(x.switches), static_cast<double>(y.switches), 0);
  }
  return fmt::format("A: {} on {}\nB: {} on {}\n", a.pipeline, device_words(a), b.pipeline, device_words(b)) +
         aligned(rows) + alone("A", a, b) + alone("B", b, a);
}

}  // namespace sluice
