#include "nodes/quantization.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "nodes/pixels/store.h"

namespace sluice {
namespace {

constexpr int kMostZeroPoint = 65535;  // uint16's; the element type may allow less

std::string text_of(const Quantised& q) {
  const bool one = q.params.scale.size() == 1;
  std::string out = fmt::format("{} with scale {}", name_of(q.dtype), q.params.scale.front());
  if (!one) out += fmt::format(" (first of {}, axis {})", q.params.scale.size(), q.params.axis);
  return out + fmt::format(" and zero point {}", q.params.zero_point.front());
}

bool any_written(const Options& options) {
  return options.has("scale") || options.has("zero_point") || options.has("dtype") || options.has("axis");
}

void check_options(const Options& options, const RefuseOption& refuse) {
  if (options.has("scale")) {
    for (const double scale : options.numbers("scale")) {
      const auto stored = static_cast<float>(scale);
      if (stored > 0 && std::isfinite(stored)) continue;
      refuse("scale", invalid(fmt::format("option 'scale' is {}, allowed: positive and finite", scale)));
      break;
    }
  }
  if (!options.has("zero_point")) return;
  for (const double zero_point : options.numbers("zero_point")) {
    if (zero_point == std::floor(zero_point) && std::abs(zero_point) <= kMostZeroPoint) continue;
    refuse("zero_point",
           invalid(fmt::format("option 'zero_point' is {}, allowed: whole numbers from -{} to {}", zero_point,
                               kMostZeroPoint, kMostZeroPoint)));
    break;
  }
}

// What is written replaces what the neighbour says; `check` then compares the two.
Quantised merged(const Options& options, const std::optional<Quantised>& neighbour, DType usual) {
  Quantised q = neighbour.value_or(Quantised{usual, {}});
  if (options.has("dtype")) q.dtype = *parse_dtype(options.text("dtype"));
  if (options.has("scale")) {
    const std::vector<double> scales = options.numbers("scale");
    q.params.scale.assign(scales.begin(), scales.end());
    if (!neighbour) q.params.zero_point.assign(scales.size(), 0);
  }
  if (options.has("zero_point")) {
    q.params.zero_point.clear();
    for (const double zero_point : options.numbers("zero_point"))
      q.params.zero_point.push_back(static_cast<std::int32_t>(zero_point));
  }
  if (options.has("axis")) q.params.axis = static_cast<int>(options.integer("axis"));
  if (q.params.zero_point.size() == 1)
    q.params.zero_point.resize(q.params.scale.size(), q.params.zero_point.front());
  return q;
}

Status check_values(const Quantised& q) {
  const auto range = pixels::integer_range(q.dtype);
  if (!range) {
    return invalid(
        fmt::format("{} cannot be quantised here, allowed: uint8, int8, uint16, int16", name_of(q.dtype)));
  }
  for (std::int32_t zero_point : q.params.zero_point) {
    if (zero_point < range->low || zero_point > range->high) {
      return invalid(fmt::format("option 'zero_point' is {}, allowed for {}: {}..{}", zero_point,
                                 name_of(q.dtype), range->low, range->high));
    }
  }
  return {};
}

Status check_shape(const Quantised& q, const Shape& shape) {
  const std::size_t scales = q.params.scale.size();
  if (q.params.zero_point.size() != scales) {
    return invalid(
        fmt::format("option 'zero_point' has {} values and 'scale' has {}: give one for all, or one each",
                    q.params.zero_point.size(), scales));
  }
  if (q.params.per_tensor()) {
    if (scales == 1) return {};
    return invalid(
        fmt::format("option 'scale' has {} values but no 'axis' says along which dimension", scales));
  }
  if (static_cast<std::size_t>(q.params.axis) >= shape.rank()) {
    return invalid(fmt::format("option 'axis' is {}, allowed for a tensor {}: 0..{}", q.params.axis,
                               shape.text(), static_cast<int>(shape.rank()) - 1));
  }
  const std::int64_t size = shape[static_cast<std::size_t>(q.params.axis)];
  if (size == static_cast<std::int64_t>(scales)) return {};
  return invalid(fmt::format("'scale' has {} values, but dimension {} of the tensor {} is {}", scales,
                             q.params.axis, shape.text(), size));
}

}  // namespace

void declare_quantization(NodeDeclaration& d) {
  d.check_options = check_options;
  d.option("scale", OptionKind::kNumbers)
      .help(
          "real = (q - zero_point) * scale; one, or one per index of `axis`. Default: the neighbouring "
          "model's.");
  d.option("zero_point", OptionKind::kNumbers)
      .help("One, or one per index of `axis`. Default: the model's, else 0.");
  d.option("dtype", OptionKind::kChoice)
      .any_of({"uint8", "int8", "uint16", "int16"})
      .help("The integer type. Default: the model's, else uint8.");
  d.option("axis", OptionKind::kInteger)
      .range(0, static_cast<double>(Shape::kMaxRank) - 1)
      .help("The dimension along which scales differ. Default: the model's, else one scale for all.");
}

Result<Quantised> resolve_quantization(const Options& options, const TensorType* neighbour,
                                       std::string_view where, const Shape& shape) {
  std::optional<Quantised> known;
  if (neighbour && neighbour->quant) known = Quantised{neighbour->dtype, *neighbour->quant};
  if (!known && !options.has("scale")) {
    return invalid(
        fmt::format("option 'scale' is missing: {} has no quantised tensor to take it from; write scale, "
                    "zero_point and dtype",
                    where));
  }
  const bool plain_integer = neighbour && pixels::integer_range(neighbour->dtype);
  const Quantised q = merged(options, known, plain_integer ? neighbour->dtype : DType::kUint8);
  // First: a zero point of the model's may lie outside the written type.
  if (known && q.dtype != known->dtype) {
    return invalid(
        fmt::format("option 'dtype' is {}, but {} has {}; results would be wrong: leave the option out",
                    name_of(q.dtype), where, text_of(*known)));
  }
  SLUICE_RETURN_IF_ERROR(check_values(q));
  if (known && any_written(options) && !agree(q.params, known->params)) {
    return invalid(
        fmt::format("the options say {}, but {} has {}; results would be wrong: leave the options out or "
                    "correct them",
                    text_of(q), where, text_of(*known)));
  }
  SLUICE_RETURN_IF_ERROR(check_shape(q, shape));
  return q;
}

bool is_copied(const NodeRoute& route) {
  return route.inputs.at(0).at(0).tensor->dtype == route.outputs.at(0).tensor->dtype;
}

void copy_elements(const Tensor& from, Tensor& to) {
  std::memcpy(to.data, from.data, std::min(from.bytes, to.bytes));
}

}  // namespace sluice
