#include "tools/sluice/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <numeric>

namespace sluice::cli {
namespace {

struct Totals {
  std::uint64_t produced = 0;
  std::uint64_t delivered = 0;
  DropCounts dropped{};
  std::uint64_t dropped_sum() const {
    return std::accumulate(dropped.begin(), dropped.end(), std::uint64_t{0});
  }
};

Totals totals_of(const RunReport& report) {
  Totals out;
  for (const SourceReport& source : report.sources) {
    out.produced += source.produced;
    out.delivered += source.delivered;
    for (std::size_t i = 0; i < out.dropped.size(); ++i) out.dropped[i] += source.dropped[i];
  }
  return out;
}

std::string figures(const RunReport& report) {
  std::string out;
  if (report.fps) out += fmt::format(", {:.1f} fps", *report.fps);
  if (report.latency.p50 && report.latency.p95) {
    out += fmt::format(", latency p50 {:.1f} ms p95 {:.1f} ms", *report.latency.p50, *report.latency.p95);
  }
  return out;
}

// Where the figures are no measurement; empty: they are one.
std::string simulated(const RunReport& report) {
  if (!report.simulated) return {};
  const bool device = report.device && report.device->profile;
  return device ? ", simulated " + *report.device->profile : ", simulated";
}

std::string reasons(const DropCounts& dropped) {
  std::string out;
  for (std::size_t i = 0; i < dropped.size(); ++i) {
    if (dropped[i] == 0) continue;
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name_of(static_cast<DropReason>(i)), dropped[i]);
  }
  return out;
}

std::size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1u : 79u;
}

}  // namespace

std::string progress_line(const RunReport& report) {
  const Totals totals = totals_of(report);
  return fmt::format("{} frames{}, dropped {}{}", totals.delivered, figures(report), totals.dropped_sum(),
                     simulated(report));
}

std::string summary_line(const RunReport& report) {
  const Totals totals = totals_of(report);
  std::string out =
      fmt::format("{}: {}, {} frames produced, {} delivered, dropped {}", report.pipeline,
                  name_of(report.status), totals.produced, totals.delivered, totals.dropped_sum());
  if (totals.dropped_sum() > 0) out += " (" + reasons(totals.dropped) + ")";
  return out + figures(report) + simulated(report);
}

Progress::Progress(bool quiet) : active_(!quiet && ::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (shown_) std::fputs("\r\x1b[K", stderr);
}

void Progress::show(const RunReport& report) {
  if (!active_) return;
  shown_ = true;
  std::fputs(("\r\x1b[K" + progress_line(report).substr(0, terminal_width())).c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace sluice::cli
