#include "runtime/thermal/earlier_test.h"

#include <fmt/format.h>

#include <cmath>

namespace sluice {
namespace {

// Times and rates are written with six decimals.
bool counted(const ThermalWindow& w) {
  if (!w.load) return true;
  const double frames = static_cast<double>(w.delivered);
  return w.fps && std::abs(*w.fps * w.seconds - frames) <= 0.5 + 1e-6 * (*w.fps + w.seconds);
}

// Why this window does not follow that one; empty: it does.
std::string gap(const ThermalWindow* before, const ThermalWindow& w, double length_s) {
  const double end = before ? before->t_s : 0;
  if (!(w.seconds > 0) || !(w.t_s > end))
    return fmt::format("it is {:g} s long and ends at {:g} s, after one that ends at {:g} s", w.seconds,
                       w.t_s, end);
  // A busy machine takes a while from the beginning of a load to the first look at it.
  if (std::abs(w.t_s - w.seconds - end) > (before ? length_s / 2 : length_s))
    return fmt::format("it begins at {:g} s, and the one before it ends at {:g} s", w.t_s - w.seconds, end);
  if (before && !before->load && w.load) return "it is of the load and comes after the recovery";
  if (!counted(w))
    return fmt::format("'delivered' is {} or no count, and its rate of {:g} fps makes {:g} frames in {:g} s",
                       w.delivered, w.fps.value_or(0), w.fps.value_or(0) * w.seconds, w.seconds);
  return {};
}

Status check_run(const ThermalRun& run, double length_s) {
  const auto wrong = [&](const std::string& where, const std::string& why) {
    return invalid(fmt::format(
        "--resume: the earlier test's run of policy '{}', repetition {}{}: {}; no test has written it so. "
        "Start a new one without --resume",
        run.policy, run.repetition, where, why));
  };
  const ThermalWindow* before = nullptr;
  for (std::size_t i = 0; i < run.windows.size(); ++i) {
    const std::string why = gap(before, run.windows[i], length_s);
    if (!why.empty()) return wrong(fmt::format(", window {}", i + 1), why);
    before = &run.windows[i];
  }
  if (run.complete && !before) return wrong("", "it is complete and has no windows");
  if (run.delivered_said && *run.delivered_said != run.results.delivered)
    return wrong("", fmt::format("it has {} frames, and its windows of the load have {}", *run.delivered_said,
                                 run.results.delivered));
  return {};
}

}  // namespace

Status check_windows(const ThermalReport& earlier) {
  for (const ThermalRun& run : earlier.runs)
    SLUICE_RETURN_IF_ERROR(check_run(run, window_length_s(earlier.duration_s)));
  return {};
}

}  // namespace sluice
