#include "quantize/weights.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "quantize/tensor_data.h"

namespace sluice::quantize {
namespace {

constexpr int kWeightBits = 8;

std::vector<float> largest_per_channel(const std::vector<float>& values,
                                       const std::vector<std::int64_t>& dims, int axis) {
  if (axis < 0) axis = static_cast<int>(dims.size());
  std::size_t inner = 1;
  for (std::size_t d = static_cast<std::size_t>(axis) + 1; d < dims.size(); ++d)
    inner *= static_cast<std::size_t>(dims[d]);
  const std::size_t channels = static_cast<std::size_t>(axis) < dims.size()
                                   ? static_cast<std::size_t>(dims[static_cast<std::size_t>(axis)])
                                   : 1;
  std::vector<float> out(channels, 0.0f);
  for (std::size_t i = 0; i < values.size(); ++i) {
    float& largest = out[i / inner % channels];
    largest = std::max(largest, std::abs(values[i]));
  }
  return out;
}

}  // namespace

Result<Encoding> encode_weights(const pb::TensorProto& weights, int axis) {
  SLUICE_ASSIGN(const std::vector<float> values, floats_of(weights));
  const auto finite = [](float v) { return std::isfinite(v); };
  if (!std::all_of(values.begin(), values.end(), finite))
    return unavailable("weights '" + weights.name() + "' hold NaN or infinity");
  Encoding out{.bits = kWeightBits, .is_signed = true, .axis = axis};
  for (const float largest : largest_per_channel(values, dims_of(weights), axis))
    out.scale.push_back(symmetric(largest, kWeightBits).scale[0]);
  out.zero_point.assign(out.scale.size(), 0);
  return out;
}

Result<Encoding> encode_scale(const pb::TensorProto& scale) {
  SLUICE_ASSIGN(const std::vector<float> values, floats_of(scale));
  Range range;
  for (const float value : values) {
    if (!std::isfinite(value)) return unavailable("weights '" + scale.name() + "' hold NaN or infinity");
    range = {std::min(range.min, value), std::max(range.max, value)};
  }
  return asymmetric(range, kWeightBits);
}

Status make_room_for_bias(Encoding& weights, const pb::TensorProto& bias, float input_scale) {
  SLUICE_ASSIGN(const std::vector<float> values, floats_of(bias));
  constexpr double kMost = 2147483647.0 * 0.999;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t channel = weights.axis < 0 ? 0 : i % weights.scale.size();
    const double least = std::abs(static_cast<double>(values[i])) / (kMost * input_scale);
    if (weights.scale[channel] < least) weights.scale[channel] = static_cast<float>(least);
  }
  return {};
}

}  // namespace sluice::quantize
