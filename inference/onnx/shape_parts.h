// How rules look at a call, and the rules of each kind. Private to shapes and shape_rules.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "inference/onnx/shape_rules.h"

namespace sluice::onnx {

constexpr std::int64_t kMostDim = std::int64_t{1} << 31;

using Shape = std::optional<Dims>;  // none: unknown
using Rule = Shape (*)(const Call&);

// Whether each is one that the rules can reckon with: not negative and below kMostDim.
bool sane(const Dims& dims);
// Whole numbers of at most kMostDim, so that sums and products of two fit.
std::optional<Dims> whole(const std::optional<Numbers>& numbers);
// An attribute, or in newer opsets the input at `place`.
std::optional<Dims> given(const Call& call, Bytes attribute, std::size_t place);
// Of the input at `i`; null: unknown.
const Dims* shape(const Call& call, std::size_t i);
// From the front; none when there is no such axis.
std::optional<std::size_t> axis_of(std::int64_t axis, std::size_t rank);
// The first input's.
Shape first_input_shape(const Call& call);

// The rule of one kind of operator, null when it is none of them.
Rule window_rule(Bytes type);  // convolutions and pooling
Rule moving_rule(Bytes type);  // what moves elements around

// One output for each part.
std::vector<Dims> split(const Call& call);

// The rule that stands beside `type`.
template <std::size_t N>
Rule find_rule(const std::array<std::pair<std::string_view, Rule>, N>& rules, Bytes type) {
  for (const auto& [name, rule] : rules)
    if (name == type) return rule;
  return nullptr;
}

}  // namespace sluice::onnx
