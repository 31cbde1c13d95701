#include "simulation/fake_faults.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice {
namespace {

constexpr int kMostNan = 10;  // as the infer node takes it

std::vector<double> runs_of(const Options& fake, std::string_view name) {
  return fake.has(name) ? fake.numbers(name) : std::vector<double>{};
}

bool has(const std::vector<double>& runs, std::uint64_t run) {
  return std::find(runs.begin(), runs.end(), static_cast<double>(run)) != runs.end();
}

}  // namespace

FakeFaults::FakeFaults(const Options& fake)
    : fail_at_(runs_of(fake, "fail_at")),
      hang_at_(runs_of(fake, "hang_at")),
      nan_at_(runs_of(fake, "nan_at")),
      timeout_ms_(fake.has("run_timeout_ms") ? fake.number("run_timeout_ms") : 10'000) {}

FakeFaults::Run FakeFaults::probe(double latency_ms) {
  const int row = nan_in_a_row_;
  Run run = next(latency_ms);
  nan_in_a_row_ = row;
  if (run.wrote_nan) run = {};
  return run;
}

FakeFaults::Run FakeFaults::next(double latency_ms) {
  const std::uint64_t run = runs_++;
  if (has(hang_at_, run) || (timeout_ms_ > 0 && latency_ms >= timeout_ms_))
    return {timed_out(fmt::format("simulated backend 'fake' hung in run {} and was given up after {:g} ms",
                                  run, timeout_ms_)),
            timeout_ms_};
  if (has(fail_at_, run))
    return {
        failed(fmt::format("simulated backend 'fake' was told to fail in run {} (option 'fail_at')", run)),
        0};
  if (!has(nan_at_, run)) {
    nan_in_a_row_ = 0;
    return {};
  }
  const bool broken = ++nan_in_a_row_ >= kMostNan;
  const std::string what = fmt::format("simulated backend 'fake' wrote NaN in run {} (option 'nan_at')", run);
  return {broken ? unavailable(what + fmt::format(", {} frames in a row: a failure of the backend", kMostNan))
                 : failed(what),
          0, true};
}

}  // namespace sluice
