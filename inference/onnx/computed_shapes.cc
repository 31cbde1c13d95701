// Small tensors that are made of known ones: what exporters write in front of a Reshape.
#include <cmath>

#include "inference/onnx/shape_parts.h"

namespace sluice::onnx {
namespace {

const Numbers* numbers(const Call& call, std::size_t i) {
  return i < call.numbers.size() ? call.numbers[i] : nullptr;
}

std::optional<Numbers> constant_numbers(const Call& call) {
  if (const Bytes tensor = call.attributes.tensor("value"); !tensor.empty()) return tensor_numbers(tensor);
  for (const Bytes name : {"value_int", "value_ints", "value_float", "value_floats"})
    if (auto out = call.attributes.numbers(name)) return out;
  return std::nullopt;
}

std::optional<Numbers> gathered(const Numbers& from, const Numbers& places) {
  Numbers out;
  for (const double place : places) {
    if (!(std::abs(place) <= static_cast<double>(kMostDim))) return std::nullopt;
    const auto at = axis_of(static_cast<std::int64_t>(place), from.size());
    if (!at) return std::nullopt;
    out.push_back(from[*at]);
  }
  return out;
}

std::optional<Numbers> joined(const Call& call) {
  Numbers out;
  for (std::size_t i = 0; i < call.op.inputs.size(); ++i) {
    const Numbers* const part = numbers(call, i);
    if (!part) return std::nullopt;
    out.insert(out.end(), part->begin(), part->end());
  }
  return out;
}

}  // namespace

std::optional<Numbers> output_numbers(const Call& call) {
  if (!call.op.domain.empty()) return std::nullopt;
  const Bytes type = call.op.type;
  if (type == "Constant") return constant_numbers(call);
  if (type == "Concat") return joined(call);
  if (type == "Shape" && !call.attributes.numbers("start") && !call.attributes.numbers("end")) {
    const Dims* const x = shape(call, 0);
    return x ? std::optional(Numbers(x->begin(), x->end())) : std::nullopt;
  }
  const Numbers* const first = numbers(call, 0);
  if (!first) return std::nullopt;
  if (type == "Gather" && numbers(call, 1)) return gathered(*first, *numbers(call, 1));
  if (type == "Squeeze" || type == "Unsqueeze" || type == "Cast" || type == "Identity") return *first;
  return std::nullopt;
}

}  // namespace sluice::onnx
