#include "quantize/ranges.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace sluice::quantize {
namespace {

constexpr double kTail = 5e-5;  // of the values, at each end

// A bin as the values' distribution sees it: its middle and how many are in it.
struct Mass {
  double value = 0;
  double count = 0;
};

std::vector<Mass> masses(const ValueHistogram& values) {
  std::vector<Mass> out;
  const auto bins = values.bins();
  for (std::size_t i = 0; i < bins.size(); ++i) {
    if (bins[i] == 0) continue;
    const double middle =
        (static_cast<double>(i) + 0.5 - static_cast<double>(ValueHistogram::kHalf)) * values.width();
    out.push_back({middle, static_cast<double>(bins[i])});
  }
  return out;
}

// The outer edge of the bin in which the tail ends, from the side that `begin` starts at.
template <typename Iterator>
double quantile(Iterator begin, Iterator end, double tail) {
  double seen = 0;
  for (Iterator m = begin; m != end; ++m) {
    seen += m->count;
    if (seen > tail) return m->value;
  }
  return 0;
}

Range percentile(const ValueHistogram& values) {
  const auto all = masses(values);
  const double tail = kTail * static_cast<double>(values.count());
  const double half = values.width() / 2;
  const double low = quantile(all.begin(), all.end(), tail) - half;
  const double high = quantile(all.rbegin(), all.rend(), tail) + half;
  return {std::max(values.min(), static_cast<float>(std::min(0.0, low))),
          std::min(values.max(), static_cast<float>(std::max(0.0, high)))};
}

// Sum of squared errors: what lies outside is clipped, what lies inside is rounded, evenly over a step. Exact
// zeros have no error, since zero is always one of the integers.
double error_of(const std::vector<Mass>& all, double low, double high, int bits) {
  const double step = (high - low) / ((1 << bits) - 1);
  const double rounding = step * step / 12;
  double sum = 0;
  for (const Mass& m : all) {
    const double outside = m.value < low ? low - m.value : m.value > high ? m.value - high : 0;
    sum += m.count * (outside > 0 ? outside * outside + rounding / 3 : rounding);
  }
  return sum;
}

// One bound at a time, from the whole range inwards, until neither moves any more.
Range least_error(const ValueHistogram& values, int bits) {
  constexpr int kSteps = 64, kRounds = 3;
  const auto all = masses(values);
  const double min = std::min(0.0, static_cast<double>(values.min()));
  const double max = std::max(0.0, static_cast<double>(values.max()));
  if (all.empty() || max <= min) return {values.min(), values.max()};
  double low = min, high = max, best = error_of(all, low, high, bits);
  const auto move = [&](double& bound, double widest) {
    bool moved = false;
    for (int i = 1; i < kSteps; ++i) {
      const double old = bound;
      bound = widest * (1.0 - static_cast<double>(i) / kSteps);
      const double error = high > low ? error_of(all, low, high, bits) : best;
      if (error < best) {
        best = error;
        moved = true;
      } else {
        bound = old;
      }
    }
    return moved;
  };
  for (int round = 0; round < kRounds; ++round) {
    const bool upper = move(high, max);
    if (!move(low, min) && !upper) break;
  }
  return {static_cast<float>(low), static_cast<float>(high)};
}

}  // namespace

std::optional<RangeMethod> parse_range_method(std::string_view name) {
  if (name == "minmax") return RangeMethod::kMinMax;
  if (name == "percentile") return RangeMethod::kPercentile;
  if (name == "mse") return RangeMethod::kMse;
  return std::nullopt;
}

Range choose_range(const ValueHistogram& values, RangeMethod method, int bits) {
  switch (method) {
    case RangeMethod::kPercentile:
      return percentile(values);
    case RangeMethod::kMse:
      return least_error(values, bits);
    case RangeMethod::kMinMax:
      break;
  }
  return {values.min(), values.max()};
}

}  // namespace sluice::quantize
