// From the values a tensor took to the range that its integers cover.
#pragma once

#include <optional>
#include <string_view>

#include "inference/value_histogram.h"
#include "quantize/encoding.h"

namespace sluice::quantize {

enum class RangeMethod {
  kMinMax,      // everything that was seen
  kPercentile,  // without the outermost values: 0.005 % at each end
  kMse,         // the range with the least mean squared error, clipping against rounding
};
std::optional<RangeMethod> parse_range_method(std::string_view name);  // minmax, percentile, mse

// `bits` matters to kMse only: with 16 bits hardly anything is worth clipping.
Range choose_range(const ValueHistogram& values, RangeMethod method, int bits);

}  // namespace sluice::quantize
