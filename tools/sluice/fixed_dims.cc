#include "tools/sluice/fixed_dims.h"

#include <fmt/format.h>

#include <algorithm>

#include "inference/checked_model.h"
#include "tools/sluice/model_data.h"

namespace sluice::cli {
namespace {

Status fix(const onnx::ModelHeader& header, const quantize::InputShape& shape, onnx::FixedDims& out) {
  const auto input = std::ranges::find(header.inputs, shape.input, &onnx::ValueInfo::name);
  if (input != header.inputs.end() && !input->has_shape)
    return invalid(
        "--shape names '" + shape.input +
        "', of which the file gives no shape at all, so that nothing in it can be fixed; export the "
        "model with the input's shape");
  if (input == header.inputs.end() || input->dims.size() != shape.dims.size())
    return invalid("--shape names '" + shape.input + "' with " + std::to_string(shape.dims.size()) +
                   " dimensions; the model has no such input");
  for (std::size_t i = 0; i < shape.dims.size(); ++i) {
    const onnx::Dim& dim = input->dims[i];
    if (dim.value >= 0 && dim.value != shape.dims[i])
      return invalid("--shape gives dimension " + std::to_string(i) + " of '" + shape.input + "' as " +
                     std::to_string(shape.dims[i]) + ", the model fixes it at " + std::to_string(dim.value));
    if (dim.value >= 0) continue;
    const std::string name = dim.name.empty() ? shape.input + "." + std::to_string(i) : std::string(dim.name);
    const auto known = std::ranges::find(out, name, &onnx::FixedDims::value_type::first);
    if (known != out.end() && known->second != shape.dims[i])
      return invalid(fmt::format(
          "--shape gives '{0}' two sizes, {1} and {2} (dimension {3} of '{4}'); the model has it wherever it "
          "says '{0}'",
          name, known->second, shape.dims[i], i, shape.input));
    if (known == out.end()) out.emplace_back(name, shape.dims[i]);
  }
  return {};
}

bool is_free(const onnx::ValueInfo& value) {
  return std::ranges::any_of(value.dims, [](const onnx::Dim& dim) { return dim.value < 0; });
}

// Exporters leave the outputs' sizes open too, under names of their own: they follow from the inputs'. Where
// they do not, the backend says what it lacks.
void follow(const onnx::ModelHeader& header, const quantize::Network& network, onnx::FixedDims& out) {
  for (const onnx::ValueInfo& output : header.outputs) {
    const auto sizes = network.output_shape(std::string(output.name));
    if (sizes.size() != output.dims.size()) continue;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const onnx::Dim& dim = output.dims[i];
      if (dim.value >= 0) continue;
      const std::string key =
          dim.name.empty() ? std::string(output.name) + "." + std::to_string(i) : std::string(dim.name);
      if (std::ranges::find(out, key, &onnx::FixedDims::value_type::first) == out.end())
        out.emplace_back(key, sizes[i]);
    }
  }
}

}  // namespace

Result<onnx::FixedDims> fixed_dims(const std::string& path, const std::vector<quantize::InputShape>& shapes) {
  onnx::FixedDims out;
  if (shapes.empty()) return out;
  SLUICE_ASSIGN(const auto model,
                check_model({.name = path, .variant = {}, .path = path, .sha256 = {}, .dims = {}}));
  for (const quantize::InputShape& shape : shapes) SLUICE_RETURN_IF_ERROR(fix(model->header, shape, out));
  if (std::ranges::none_of(model->header.outputs, is_free)) return out;
  SLUICE_ASSIGN(const quantize::Module* const module, quantize_module());
  if (const auto network = module->open_network(path, shapes); network.ok())
    follow(model->header, **network, out);
  return out;
}

std::string with_shape_option(std::string message) {
  constexpr std::string_view kFrom = "write dims:", kTo = " under the model";
  const std::size_t from = message.find(kFrom), to = message.find(kTo, from);
  if (from == std::string::npos || to == std::string::npos) return message;
  return message.replace(from, to + kTo.size() - from, "give --shape INPUT=DIMS, such as x=1x3x256x256");
}

}  // namespace sluice::cli
