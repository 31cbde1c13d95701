#include "quantize/statistics.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "backends/ort/evaluator.h"
#include "quantize/graph_index.h"
#include "quantize/run_sample.h"

namespace sluice::quantize {
namespace {

// The model with every float tensor that it makes among its outputs.
pb::ModelProto show_all(const pb::ModelProto& model) {
  pb::ModelProto out = model;
  const GraphIndex index(model.graph());
  for (const pb::NodeProto& node : model.graph().node()) {
    for (const std::string& name : node.output()) {
      if (!index.is_float_activation(name) || index.is_output(name)) continue;
      pb::ValueInfoProto& value = *out.mutable_graph()->add_output();
      value.set_name(name);
      value.mutable_type()->mutable_tensor_type()->set_elem_type(pb::TensorProto::FLOAT);
    }
  }
  return out;
}

Status note(Statistics& statistics, const std::string& name, const ort::ArrayView& array, Detail detail) {
  if (array.dtype != DType::kFloat32) return {};
  ValueHistogram& histogram = statistics.tensors[name];
  const std::span<const float> values = array.floats();
  if (values.empty()) return {};
  const Extent extent = extent_of(values);
  const std::array extremes = {extent.min, extent.max};
  histogram.add(extent.finite && detail == Detail::kExtremes ? std::span<const float>(extremes) : values);
  if (histogram.not_finite() == 0) return {};
  return invalid(
      "tensor '" + name + "' holds NaN or infinity in sample " + std::to_string(statistics.samples) +
      " (counted from 0); the model or its input is wrong there: check the preprocessing (--preprocess)");
}

// Places of the evaluator's outputs in the order in which their makers run: what goes wrong is named where it
// begins.
std::vector<std::size_t> running_order(const std::vector<std::string>& outputs, const pb::GraphProto& graph) {
  const GraphIndex index(graph);
  std::vector<std::size_t> out(outputs.size());
  std::iota(out.begin(), out.end(), std::size_t{0});
  std::stable_sort(out.begin(), out.end(), [&](std::size_t a, std::size_t b) {
    return index.producer(outputs[a]) < index.producer(outputs[b]);
  });
  return out;
}

}  // namespace

Result<Statistics> collect(const pb::ModelProto& model, Samples& samples, const Progress& progress,
                           Detail detail) {
  const std::string bytes = show_all(model).SerializeAsString();
  SLUICE_ASSIGN(const auto evaluator, ort::Evaluator::open(bytes, ort::Evaluator::Effort::kAsWritten));
  const std::vector<std::size_t> order = running_order(evaluator->outputs(), model.graph());
  Statistics out;
  const Status done = samples.for_each([&](const Sample& sample) -> Status {
    SLUICE_ASSIGN(const auto inputs, arrange(sample, *evaluator, model.graph()));
    for (std::size_t i = 0; i < inputs.size(); ++i)
      SLUICE_RETURN_IF_ERROR(note(out, evaluator->inputs()[i], inputs[i], detail));
    SLUICE_ASSIGN(const auto arrays, evaluator->run(inputs));
    for (const std::size_t i : order)
      SLUICE_RETURN_IF_ERROR(note(out, evaluator->outputs()[i], arrays[i], detail));
    ++out.samples;
    if (progress) progress(out.samples);
    return {};
  });
  if (!done.ok()) return done;
  if (out.samples == 0) return unavailable("the calibration data hold no sample");
  return out;
}

}  // namespace sluice::quantize
