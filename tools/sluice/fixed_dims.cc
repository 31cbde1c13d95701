#include "tools/sluice/fixed_dims.h"

#include <algorithm>

#include "inference/checked_model.h"

namespace sluice::cli {
namespace {

Status fix(const onnx::ModelHeader& header, const quantize::InputShape& shape, onnx::FixedDims& out) {
  const auto input = std::ranges::find(header.inputs, shape.input, &onnx::ValueInfo::name);
  if (input == header.inputs.end() || input->dims.size() != shape.dims.size())
    return invalid("--shape names '" + shape.input + "' with " + std::to_string(shape.dims.size()) +
                   " dimensions; the model has no such input");
  for (std::size_t i = 0; i < shape.dims.size(); ++i) {
    const onnx::Dim& dim = input->dims[i];
    if (dim.value >= 0 && dim.value != shape.dims[i])
      return invalid("--shape gives dimension " + std::to_string(i) + " of '" + shape.input + "' as " +
                     std::to_string(shape.dims[i]) + ", the model fixes it at " + std::to_string(dim.value));
    if (dim.value >= 0) continue;
    out.emplace_back(dim.name.empty() ? shape.input + "." + std::to_string(i) : std::string(dim.name),
                     shape.dims[i]);
  }
  return {};
}

}  // namespace

Result<onnx::FixedDims> fixed_dims(const std::string& path, const std::vector<quantize::InputShape>& shapes) {
  onnx::FixedDims out;
  if (shapes.empty()) return out;
  SLUICE_ASSIGN(const auto model,
                check_model({.name = path, .variant = {}, .path = path, .sha256 = {}, .dims = {}}));
  for (const quantize::InputShape& shape : shapes) SLUICE_RETURN_IF_ERROR(fix(model->header, shape, out));
  return out;
}

std::string shape_hint(const std::vector<quantize::InputShape>& shapes, const Status& status) {
  const bool open = shapes.empty() && status.message().find("write dims:") != std::string::npos;
  return open ? "; here: --shape NAME=DIMS, such as x=1x3x256x256" : "";
}

}  // namespace sluice::cli
