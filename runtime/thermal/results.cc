#include "runtime/thermal/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace sluice {
namespace {

constexpr double kMostRepeatSpread = 0.05;

std::vector<const ThermalWindow*> load_of(const std::vector<ThermalWindow>& windows) {
  std::vector<const ThermalWindow*> out;
  for (const ThermalWindow& w : windows) {
    if (w.load && w.fps && w.seconds > 0) out.push_back(&w);
  }
  return out;
}

// Without what is much shorter than a window is to be: the rate of a few milliseconds says nothing.
std::vector<const ThermalWindow*> whole(const std::vector<const ThermalWindow*>& load, double length_s) {
  std::vector<const ThermalWindow*> out = load;
  std::erase_if(out, [&](const ThermalWindow* w) { return w->seconds < length_s * kLeastPart; });
  return out;
}

// How long the load was: as it was to be, when it came so far that no window is missing. Its last frames are
// done a little later, and a machine's seconds are off.
double length_of(const std::vector<const ThermalWindow*>& load, double load_s, double window_s) {
  const double end = load.back()->t_s;
  return load_s > 0 && end + window_s / 2 >= load_s ? load_s : end;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

// The best mean rate over spans of at least this length.
double best_mean(const std::vector<const ThermalWindow*>& load, double span_s) {
  double best = 0;
  for (std::size_t first = 0; first < load.size(); ++first) {
    double frames = 0, seconds = 0;
    for (std::size_t i = first; i < load.size() && seconds + 1e-6 < span_s; ++i) {
      frames += static_cast<double>(load[i]->delivered);
      seconds += load[i]->seconds;
    }
    if (seconds + 1e-6 < span_s && first > 0) break;  // the end: shorter spans than asked for
    best = std::max(best, frames / seconds);
  }
  return best;
}

void find_loss(const std::vector<const ThermalWindow*>& load, ThermalResults& out) {
  const double limit = 0.9 * *out.peak_fps;
  std::size_t i = 0;
  while (i < load.size() && *load[i]->fps < limit) ++i;  // what has not been reached is not lost
  for (; i + 1 < load.size(); ++i) {
    if (*load[i]->fps >= limit || *load[i + 1]->fps >= limit) continue;
    out.time_to_10pct_loss_s = load[i]->t_s - load[i]->seconds;
    return;
  }
}

// Least squares of the resident memory against time.
std::optional<double> memory_slope(const std::vector<const ThermalWindow*>& load) {
  double n = 0, t = 0, m = 0, tt = 0, tm = 0;
  for (const ThermalWindow* w : load) {
    if (!w->rss_mb) return std::nullopt;
    const double minutes = w->t_s / 60;
    n += 1;
    t += minutes;
    m += *w->rss_mb;
    tt += minutes * minutes;
    tm += minutes * *w->rss_mb;
  }
  const double divisor = n * tt - t * t;
  return divisor > 0 ? std::optional((n * tm - t * m) / divisor) : std::nullopt;
}

int count_switches(const std::vector<ThermalWindow>& windows) {
  int out = 0;
  std::map<std::string, std::pair<std::string, std::string>> last;
  for (const ThermalWindow& w : windows) {
    for (const ThermalWindow::Infer& i : w.infer) {
      const std::pair at_end(i.backend, i.variant);
      auto& place = last.try_emplace(i.node, at_end).first->second;
      if (i.first) place = {i.first->backend, i.first->variant};  // a beginning is no change
      const auto go = [&](const std::pair<std::string, std::string>& next) {
        out += place != next, place = next;
      };
      // Several within one window count too, also there and back; one that only changed its mode does not.
      for (const DecisionReport& change : i.changes) go({change.backend, change.variant});
      go(at_end);
    }
  }
  return out;
}

void keep_largest(std::optional<double>& kept, const std::optional<double>& other) {
  if (other && (!kept || *other > *kept)) kept = other;
}

}  // namespace

double window_length_s(double load_s) {
  return load_s >= 120 ? 10.0 : std::max(load_s / 12, std::min(1.0, load_s));
}

ThermalResults results_of(const std::vector<ThermalWindow>& windows, double load_s) {
  ThermalResults out;
  const std::vector<const ThermalWindow*> all = load_of(windows);
  const double window_s = window_length_s(load_s);
  const std::vector<const ThermalWindow*> load = whole(all, window_s);
  for (const ThermalWindow& w : windows)
    keep_largest(out.max_skin_c, w.temperature_c[static_cast<std::size_t>(HeatRole::kSkin)]);
  out.switches = count_switches(windows);
  if (load.empty()) return out;
  const double loaded_s = length_of(load, load_s, window_s);
  out.peak_fps = best_mean(load, std::min(60.0, loaded_s / 3));
  const double from = loaded_s - (loaded_s >= 600 ? 300 : loaded_s / 3);
  const double soon_enough = window_s / 20;  // windows end at the second that a machine makes of it
  std::vector<double> last;
  double energy = 0;
  bool energy_known = true;
  for (const ThermalWindow* w : load) {
    if (w->t_s - w->seconds + soon_enough >= from) last.push_back(*w->fps);
    if (!out.worst_fps || *w->fps < *out.worst_fps) {
      out.worst_fps = w->fps;
      out.worst_at_s = w->t_s;
    }
    keep_largest(out.p95_ms, w->p95_ms);
  }
  for (const ThermalWindow* w : all) {
    out.delivered += w->delivered;
    energy_known = energy_known && w->power_w.has_value();
    energy += w->power_w.value_or(0) * w->seconds;
  }
  if (last.empty()) last.push_back(*load.back()->fps);
  out.sustained_fps = median(last);
  if (*out.peak_fps > 0) {
    out.stability = *out.sustained_fps / *out.peak_fps;
    find_loss(load, out);
  }
  if (energy_known && out.delivered > 0) out.energy_per_frame_j = energy / static_cast<double>(out.delivered);
  out.memory_slope_mb_per_min = memory_slope(load);
  return out;
}

std::vector<std::string> simulated_backends(const std::vector<ThermalRun>& runs) {
  std::set<std::string> out;
  for (const ThermalRun& run : runs) out.insert(run.simulated_backends.begin(), run.simulated_backends.end());
  return {out.begin(), out.end()};
}

std::vector<std::string> missed(const ThermalRun& run, const ThermalThresholds& thresholds) {
  std::vector<std::string> out;
  const auto check = [&](const char* option, const char* what, const std::optional<double>& limit,
                         const std::optional<double>& got, bool at_least, const char* unit) {
    if (!limit) return;
    const std::string who =
        run.repetition > 1 ? fmt::format("{}, repetition {}", run.policy, run.repetition) : run.policy;
    if (!got) {
      out.push_back(fmt::format("{}: {} {}: {} is unknown here", who, option, *limit, what));
    } else if (at_least ? *got < *limit : *got > *limit) {
      out.push_back(fmt::format("{}: {} {}: {} is {:.4g}{}", who, option, *limit, what, *got, unit));
    }
  };
  const ThermalResults& r = run.results;
  check("--min-stability", "stability", thresholds.min_stability, r.stability, true, "");
  check("--min-fps", "the sustained rate", thresholds.min_fps, r.sustained_fps, true, " fps");
  check("--max-p95-ms", "the worst window's p95", thresholds.max_p95_ms, r.p95_ms, false, " ms");
  check("--max-skin-c", "the skin's highest temperature", thresholds.max_skin_c, r.max_skin_c, false,
        " degrees C");
  return out;
}

std::vector<std::string> disagreements(const std::vector<ThermalRun>& runs) {
  std::map<std::string, std::vector<double>> rates;
  for (const ThermalRun& run : runs) {
    if (run.results.sustained_fps) rates[run.policy].push_back(*run.results.sustained_fps);
  }
  std::vector<std::string> out;
  for (const auto& [policy, values] : rates) {
    if (values.size() < 2) continue;
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    double mean = 0;
    for (const double v : values) mean += v / static_cast<double>(values.size());
    if (*high - *low <= kMostRepeatSpread * mean) continue;
    out.push_back(fmt::format("{}: {} repetitions sustain {:.4g} to {:.4g} fps, more than 5 % apart", policy,
                              values.size(), *low, *high));
  }
  return out;
}

}  // namespace sluice
