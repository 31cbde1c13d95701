// The rules are those of the ONNX operator specification (onnx.ai/onnx/operators).
#include "inference/onnx/shape_parts.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace sluice::onnx {
namespace {

constexpr std::int64_t kMostBlock = std::int64_t{1} << 15;  // of a block

std::int64_t product(const Dims& dims, std::size_t from, std::size_t to) {
  std::int64_t out = 1;
  for (std::size_t d = from; d < to; ++d)
    if (__builtin_mul_overflow(out, dims[d], &out)) return -1;
  return out;
}

Shape flatten(const Call& call) {
  const Dims* const x = shape(call, 0);
  if (!x) return std::nullopt;
  const std::int64_t axis = call.attributes.number("axis", 1);
  const auto rank = static_cast<std::int64_t>(x->size());
  if (axis < -rank || axis > rank) return std::nullopt;
  const auto at = static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
  return Dims{product(*x, 0, at), product(*x, at, x->size())};
}

// 0 keeps a size, -1 is what is left.
Shape reshape(const Call& call) {
  const Dims* const x = shape(call, 0);
  auto out = given(call, "shape", 1);
  if (!x || !out) return std::nullopt;
  const bool keep = call.attributes.number("allowzero", 0) == 0;
  std::int64_t known = 1;
  auto left = out->end();
  for (auto size = out->begin(); size != out->end(); ++size) {
    const auto d = static_cast<std::size_t>(size - out->begin());
    if (*size == 0 && keep) {
      if (d >= x->size()) return std::nullopt;
      *size = (*x)[d];
    }
    if (*size == -1) left = size;
    if (*size != -1 && __builtin_mul_overflow(known, *size, &known)) return std::nullopt;
  }
  if (left == out->end()) return out;
  const std::int64_t all = product(*x, 0, x->size());
  if (known < 1 || all < 0) return std::nullopt;
  *left = all / known;
  return out;
}

Shape transpose(const Call& call) {
  const Dims* const x = shape(call, 0);
  if (!x) return std::nullopt;
  const auto order = whole(call.attributes.numbers("perm"));
  Dims out(x->rbegin(), x->rend());
  if (order && order->size() != x->size()) return std::nullopt;
  for (std::size_t d = 0; order && d < out.size(); ++d) {
    const auto from = axis_of((*order)[d], x->size());
    if (!from) return std::nullopt;
    out[d] = (*x)[*from];
  }
  return out;
}

Shape concat(const Call& call) {
  Shape out = first_input_shape(call);
  const auto axis = out ? axis_of(call.attributes.number("axis", 1), out->size()) : std::nullopt;
  if (!axis) return std::nullopt;
  for (std::size_t i = 1; i < call.op.inputs.size(); ++i) {
    const Dims* const x = shape(call, i);
    if (!x || x->size() != out->size()) return std::nullopt;
    (*out)[*axis] += (*x)[*axis];
  }
  return out;
}

Shape squeeze(const Call& call) {
  const Dims* const x = shape(call, 0);
  if (!x) return std::nullopt;
  const auto axes = given(call, "axes", 1);
  if (!axes && call.op.inputs.size() > 1) return std::nullopt;
  std::set<std::size_t> gone;
  for (std::size_t d = 0; !axes && d < x->size(); ++d)
    if ((*x)[d] == 1) gone.insert(d);
  for (const std::int64_t axis : axes.value_or(Dims{}))
    if (const auto d = axis_of(axis, x->size())) gone.insert(*d);
  Dims out;
  for (std::size_t d = 0; d < x->size(); ++d)
    if (!gone.contains(d)) out.push_back((*x)[d]);
  return out;
}

Shape unsqueeze(const Call& call) {
  const Dims* const x = shape(call, 0);
  const auto axes = given(call, "axes", 1);
  if (!x || !axes) return std::nullopt;
  const std::size_t rank = x->size() + axes->size();
  std::set<std::size_t> added;
  for (const std::int64_t axis : *axes)
    if (const auto d = axis_of(axis, rank)) added.insert(*d);
  if (added.size() != axes->size()) return std::nullopt;
  Dims out;
  for (std::size_t d = 0, from = 0; d < rank; ++d) out.push_back(added.contains(d) ? 1 : (*x)[from++]);
  return out;
}

Shape pad(const Call& call) {
  Shape out = first_input_shape(call);
  const auto pads = given(call, "pads", 1);
  if (!out || !pads || pads->size() != 2 * out->size()) return std::nullopt;  // nor with axes
  for (std::size_t d = 0; d < out->size(); ++d) (*out)[d] += (*pads)[d] + (*pads)[d + out->size()];
  return out;
}

// By factors or to sizes; `Upsample` and the first `Resize` had only factors, at place 1.
Shape resize(const Call& call) {
  Shape out = first_input_shape(call);
  if (!out) return std::nullopt;
  if (const auto sizes = given(call, "", 3); sizes && sizes->size() == out->size()) return sizes;
  const std::size_t place = call.op.inputs.size() > 2 ? 2 : 1;
  const bool input = place < call.numbers.size() && call.numbers[place];
  const auto scales = input ? *call.numbers[place] : call.attributes.numbers("scales").value_or(Numbers{});
  if (scales.size() != out->size()) return std::nullopt;
  for (std::size_t d = 0; d < out->size(); ++d) {
    const double size = std::floor(static_cast<double>((*out)[d]) * scales[d]);
    if (!(size >= 0 && size < static_cast<double>(kMostDim))) return std::nullopt;
    (*out)[d] = static_cast<std::int64_t>(size);
  }
  return out;
}

Shape slice(const Call& call) {
  Shape out = first_input_shape(call);
  const auto starts = given(call, "starts", 1);
  if (!out || !starts || call.op.inputs.size() > 4) return std::nullopt;  // with steps: not worth it
  // The usual end "all the rest" is no size.
  const bool input = call.numbers.size() > 2 && call.numbers[2];
  const auto ends = input ? std::optional(*call.numbers[2]) : call.attributes.numbers("ends");
  const auto axes = given(call, "axes", 3);
  if (!ends || ends->size() != starts->size() || (axes && axes->size() != starts->size()))
    return std::nullopt;
  for (std::size_t i = 0; i < starts->size(); ++i) {
    const auto d = axis_of(axes ? (*axes)[i] : static_cast<std::int64_t>(i), out->size());
    if (!d) return std::nullopt;
    const auto size = static_cast<double>((*out)[*d]);
    const auto place = [size](double at) { return std::clamp(at < 0 ? at + size : at, 0.0, size); };
    (*out)[*d] = static_cast<std::int64_t>(
        std::max(0.0, place((*ends)[i]) - place(static_cast<double>((*starts)[i]))));
  }
  return out;
}

Shape depth_to_space(const Call& call) {
  const Dims* const x = shape(call, 0);
  const std::int64_t block = call.attributes.number("blocksize", 0);
  if (!x || x->size() != 4 || block < 1 || block > kMostBlock) return std::nullopt;
  const bool spread = call.op.type == "DepthToSpace";
  if (spread) return Dims{(*x)[0], (*x)[1] / block / block, (*x)[2] * block, (*x)[3] * block};
  return Dims{(*x)[0], (*x)[1] * block * block, (*x)[2] / block, (*x)[3] / block};
}

Shape gather(const Call& call) {
  const Dims* const x = shape(call, 0);
  const Dims* const index = shape(call, 1);
  const auto axis = x ? axis_of(call.attributes.number("axis", 0), x->size()) : std::nullopt;
  if (!index || !axis) return std::nullopt;
  Dims out(x->begin(), x->begin() + static_cast<std::ptrdiff_t>(*axis));
  out.insert(out.end(), index->begin(), index->end());
  out.insert(out.end(), x->begin() + static_cast<std::ptrdiff_t>(*axis) + 1, x->end());
  return out;
}

}  // namespace

std::vector<Dims> split(const Call& call) {
  const Dims* const x = shape(call, 0);
  const auto axis = x ? axis_of(call.attributes.number("axis", 0), x->size()) : std::nullopt;
  if (!axis || call.op.outputs.empty()) return {};
  const auto count = static_cast<std::int64_t>(call.op.outputs.size());
  const auto sizes = given(call, "split", 1);
  if (sizes && sizes->size() != call.op.outputs.size()) return {};
  if (!sizes && call.op.inputs.size() > 1) return {};
  const std::int64_t part = ((*x)[*axis] + count - 1) / count;
  std::vector<Dims> out(call.op.outputs.size(), *x);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::int64_t rest = (*x)[*axis] - part * static_cast<std::int64_t>(i);
    out[i][*axis] = sizes ? (*sizes)[i] : std::clamp(rest, std::int64_t{0}, part);
  }
  return out;
}

Rule moving_rule(Bytes type) {
  constexpr std::array<std::pair<std::string_view, Rule>, 13> kRules = {{{"Flatten", flatten},
                                                                         {"Reshape", reshape},
                                                                         {"Transpose", transpose},
                                                                         {"Concat", concat},
                                                                         {"Squeeze", squeeze},
                                                                         {"Unsqueeze", unsqueeze},
                                                                         {"Pad", pad},
                                                                         {"Resize", resize},
                                                                         {"Upsample", resize},
                                                                         {"Slice", slice},
                                                                         {"DepthToSpace", depth_to_space},
                                                                         {"SpaceToDepth", depth_to_space},
                                                                         {"Gather", gather}}};
  return find_rule(kRules, type);
}

}  // namespace sluice::onnx
