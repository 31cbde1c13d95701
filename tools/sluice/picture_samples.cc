#include "tools/sluice/picture_samples.h"

#include "framework/core/packet.h"
#include "runtime/builtin.h"
#include "runtime/pipeline.h"
#include "tools/sluice/calibration_pipeline.h"

namespace sluice::cli {
namespace {

Result<Pipeline> load(const GraphSpec& spec) {
  LoadIssues issues{spec.file, {}};
  auto pipeline = Pipeline::load(spec, builtin_registry(), {}, issues);
  if (!pipeline) return issues.status();
  return std::move(*pipeline);
}

// What a source can be told, and --data cannot.
std::string without_source_advice(std::string message) {
  constexpr std::string_view kAdvice = "recursive: true looks into its subfolders too";
  const std::size_t at = message.find(kAdvice);
  if (at != std::string::npos) message.replace(at, kAdvice.size(), "its subfolders are not looked into");
  return message;
}

// The data stand in the place of the pipeline's source, whose name is nobody's concern.
Status as_data(const Status& status, const GraphSpec& spec) {
  for (const NodeSpec& node : spec.nodes) {
    const std::string owner = "node '" + node.id + "': ";
    if (node.inputs.empty() && status.message().starts_with(owner))
      return {status.code(), "--data: " + without_source_advice(status.message().substr(owner.size()))};
  }
  return status;
}

}  // namespace

Status PictureSamples::for_each(const std::function<Status(const quantize::Sample&)>& visit) {
  SLUICE_ASSIGN(Pipeline pipeline, load(pipeline_));
  Status first_failure;  // of `visit`, written by the sink's thread alone until the run is over
  std::size_t count = 0;
  SLUICE_RETURN_IF_ERROR(pipeline.app_sink(kCalibrationSink).on_packet([&](const Packet& packet) {
    const Tensor* const tensor = packet.get<Tensor>();
    if (!tensor || !first_failure.ok()) return;
    const Shape& shape = tensor->type->shape;
    first_failure =
        visit({{input_, tensor->type->dtype, {shape.begin(), shape.end()}, tensor->data, tensor->bytes}});
    ++count;
    if (!first_failure.ok()) pipeline.stop();
  }));
  SLUICE_RETURN_IF_ERROR(as_data(pipeline.start(), pipeline_));
  interrupts_.on_first([&pipeline] { pipeline.stop(); });
  const Status status = pipeline.wait();
  interrupts_.on_first(nullptr);
  unreadable_ = 0;
  for (const SourceReport& source : pipeline.report().sources) unreadable_ += source.corrupt;
  if (interrupts_.interrupted()) return cancelled("interrupted before all samples were seen");
  SLUICE_RETURN_IF_ERROR(first_failure);
  SLUICE_RETURN_IF_ERROR(as_data(status, pipeline_));
  count_ = count;
  return {};
}

}  // namespace sluice::cli
