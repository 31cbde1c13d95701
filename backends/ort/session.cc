#include "backends/ort/session.h"

#include <onnxruntime_run_options_config_keys.h>
#include <onnxruntime_session_options_config_keys.h>

#include <algorithm>
#include <cstring>

#include "backends/ort/fixed_inputs.h"
#include "backends/ort/load_model.h"
#include "framework/core/allocation_scope.h"
#include "inference/checked_model.h"

namespace sluice::ort {
namespace {

// The bytes to load: the file's, or without the quantised edges that the plan uses as integers.
std::string_view model_bytes(const CheckedModel& model, const std::vector<std::string>& keep_float,
                             std::string& edited) {
  onnx::QuantisedEdges edges = model.edges;
  const auto keep = [&keep_float](const auto& values, auto& quants) {
    for (std::size_t i = 0; i < quants.size(); ++i)
      if (std::ranges::find(keep_float, values[i].name) != keep_float.end()) quants[i].reset();
  };
  keep(model.header.inputs, edges.inputs);
  keep(model.header.outputs, edges.outputs);
  if (!edges.any()) return model.file->bytes();
  edited = onnx::strip_quantised_edges(model.file->bytes(), model.header, edges);
  return edited;
}

std::size_t bytes_of(const TensorType& type) {
  const auto bytes = byte_size(type.dtype, type.shape);
  return bytes.ok() ? *bytes : 0;  // read_signature checked it
}

}  // namespace

OrtSession::OrtSession(std::shared_ptr<Runtime> runtime, ModelSignature signature,
                       const SessionRequest& request, const SessionConfig& config)
    : runtime_(std::move(runtime)),
      signature_(std::move(signature)),
      backend_(config.backend),
      kind_(config.kind),
      before_run_(config.before_run),
      most_batch_(std::max(1, request.batch)),
      static_batch_(config.static_batch) {
  for (const TensorType& type : signature_.inputs) {
    input_bytes_.push_back(bytes_of(type));
    input_names_.push_back(type.name.c_str());
  }
  for (const TensorType& type : signature_.outputs) {
    output_bytes_.push_back(bytes_of(type));
    output_names_.push_back(type.name.c_str());
  }
  for (std::size_t i = 0; i < signature_.inputs.size(); ++i)
    for (std::size_t o = 0; o < signature_.outputs.size(); ++o)
      if (signature_.inputs[i].name == signature_.outputs[o].name) handed_on_.emplace_back(i, o);
  slots_.resize(static_cast<std::size_t>(std::max(1, request.slots)));
  for (Slot& slot : slots_) {
    for (const TensorType& type : signature_.inputs) slot.inputs.emplace_back(type);
    for (const TensorType& type : signature_.outputs) slot.outputs.emplace_back(type);
    slot.input_values.resize(signature_.inputs.size());
    slot.output_values.resize(signature_.outputs.size());
  }
}

void OrtSession::load(const SessionRequest& request, const SessionConfig& config, std::string_view model,
                      const std::string& folder) {
  Ort::SessionOptions options;
  options.SetExecutionMode(ORT_SEQUENTIAL);
  options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
  options.AddConfigEntry("session.inter_op.allow_spinning", "0");
  options.AddConfigEntry("session.record_ep_graph_assignment_info", "1");
  options.AddConfigEntry("session.model_external_initializers_file_folder_path", folder.c_str());
  for (const auto& [name, size] : request.model.dims)
    if (name.find('.') == std::string::npos)
      Ort::ThrowOnError(runtime_->api().AddFreeDimensionOverrideByName(options, name.c_str(), size));
  config.configure(options);
  memory_ = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  std::optional<std::string> note;
  session_ = load_model(runtime_->env(), model, options, note);
  read_placement(config.provider);
  if (note) placement_.reasons.push_back(std::move(*note));
  if (!config.shrink_after_first_run) return;
  first_run_ = Ort::RunOptions();
  first_run_.AddConfigEntry(kOrtRunOptionsConfigEnableMemoryArenaShrinkage, "cpu:0");
}

void OrtSession::read_placement(const std::string& provider) {
  for (const auto& subgraph : session_.GetEpGraphAssignmentInfo()) {
    const int count = static_cast<int>(subgraph.GetNodes().size());
    placement_.total += count;
    const std::string name = subgraph.GetEpName();
    if (name == provider)
      placement_.on_backend += count;
    else
      placement_.elsewhere[name == "CPUExecutionProvider" ? "cpu" : name] += count;
  }
  if (!placement_.elsewhere.empty()) placement_.reasons.push_back(recent_warnings());
}

Result<std::unique_ptr<Session>> OrtSession::open(std::shared_ptr<Runtime> runtime,
                                                  const SessionRequest& request,
                                                  const SessionConfig& config) {
  SLUICE_ASSIGN(auto session, create(std::move(runtime), request, config));
  return std::unique_ptr<Session>(std::move(session));
}

Result<std::unique_ptr<OrtSession>> OrtSession::create(std::shared_ptr<Runtime> runtime,
                                                       const SessionRequest& request,
                                                       const SessionConfig& config) {
  SLUICE_ASSIGN(const auto model, check_model(request.model));
  SLUICE_ASSIGN(ModelSignature signature, read_signature(request.model, request.keep_float));
  if (request.batch > 1 && !signature.symbolic_batch)
    return unavailable(
        describe(request.model) + ": batch {max: " + std::to_string(request.batch) +
        "} needs a free first dimension in all inputs and outputs; export the model with a symbolic "
        "batch, take its name out of 'dims', or write batch: {max: 1}");
  forget_warnings();
  try {
    std::string edited;
    std::string_view bytes = model_bytes(*model, request.keep_float, edited);
    std::optional<std::string> fixed;
    if (config.static_batch)
      fixed = with_fixed_inputs(bytes, model->header, signature, std::max(1, request.batch));
    if (fixed) bytes = *fixed;
    std::optional<std::string> other;
    if (config.substitute) other = config.substitute(bytes);
    if (other) bytes = *other;
    std::unique_ptr<OrtSession> session(
        new OrtSession(std::move(runtime), std::move(signature), request, config));
    // Where an Expand changes no size, the rule that drops it and those about QDQ pairs lose the producer of
    // an integer that is an output of the graph, which is what stripped edges are. Only the CPU provider has
    // the latter.
    SessionConfig careful = config;
    if (!edited.empty() && config.backend == "cpu")
      careful.configure = [&config](Ort::SessionOptions& options) {
        options.AddConfigEntry(kOrtSessionOptionsDisableSpecifiedOptimizers, "ExpandElimination");
        config.configure(options);
      };
    session->load(request, careful, bytes, folder_of(request.model.path));
    return session;
  } catch (const std::exception& error) {
    return unavailable(explain(error.what())).with_context(describe(request.model) + ": ");
  }
}

Result<std::size_t> OrtSession::batch_of(std::span<const Tensor* const> inputs,
                                         std::span<Tensor* const> outputs) const {
  if (inputs.size() != input_bytes_.size() || outputs.size() != output_bytes_.size())
    return invalid(
        "a run of " +
        describe(
            {.name = signature_.name, .variant = signature_.variant, .path = {}, .sha256 = {}, .dims = {}}) +
        " got another number of tensors than the model has");
  const std::size_t batch = inputs[0]->bytes / input_bytes_[0];
  const auto fits = [batch](const Tensor& tensor, std::size_t item) {
    return tensor.data && tensor.bytes == item * batch;
  };
  bool good = batch >= 1 && batch <= static_cast<std::size_t>(most_batch_);
  for (std::size_t i = 0; i < inputs.size(); ++i) good = good && fits(*inputs[i], input_bytes_[i]);
  for (std::size_t i = 0; i < outputs.size(); ++i) good = good && fits(*outputs[i], output_bytes_[i]);
  if (!good) return invalid("a tensor has another size than model '" + signature_.name + "' wants");
  return batch;
}

const OrtMemoryInfo* OrtSession::memory_of(const Tensor& tensor) const {
  return shared_ && shared_->holds(tensor.data, tensor.bytes) ? shared_->info() : memory_;
}

Status OrtSession::bind(Slot& slot, std::span<const Tensor* const> inputs, std::span<Tensor* const> outputs,
                        std::size_t batch) {
  try {
    for (std::size_t i = 0; i < inputs.size(); ++i)
      slot.input_values[i] =
          slot.inputs[i].bind(memory_of(*inputs[i]), inputs[i]->data, inputs[i]->bytes, batch);
    for (std::size_t i = 0; i < outputs.size(); ++i)
      slot.output_values[i] =
          slot.outputs[i].bind(memory_of(*outputs[i]), outputs[i]->data, outputs[i]->bytes, batch);
  } catch (const std::exception& error) {
    return failed(explain(error.what()));
  }
  return {};
}

Status OrtSession::run(int slot_index, std::span<const Tensor* const> inputs,
                       std::span<Tensor* const> outputs) {
  SLUICE_ASSIGN(const std::size_t batch, batch_of(inputs, outputs));
  if (before_run_) before_run_();
  Slot& slot = slots_[static_cast<std::size_t>(slot_index)];
  {
    const ForeignCode foreign;  // the engine's handles for tensors it has not seen yet
    SLUICE_RETURN_IF_ERROR(bind(slot, inputs, outputs, batch));
  }
  forget_warnings();
  const OrtApi& api = runtime_->api();
  OrtStatus* error = nullptr;
  {
    const ForeignCode foreign;
    const OrtRunOptions* options = slot.has_run ? nullptr : static_cast<const OrtRunOptions*>(first_run_);
    slot.has_run = true;
    error = api.Run(session_, options, input_names_.data(), slot.input_values.data(), input_names_.size(),
                    output_names_.data(), output_names_.size(), slot.output_values.data());
  }
  if (!error) {
    for (const auto& [from, to] : handed_on_)
      std::memcpy(outputs[to]->data, inputs[from]->data, std::min(outputs[to]->bytes, inputs[from]->bytes));
    return {};
  }
  const Ort::Status owned(error);
  const std::string text = explain(owned.GetErrorMessage());
  return failed(owned.GetErrorCode() == ORT_DEVICE_RESET ? std::string(kDeviceReset) + text : text);
}

Status OrtSession::set_dynamic_option(const char* key, const char* value) {
  OrtStatus* error = runtime_->api().SetEpDynamicOptions(session_, &key, &value, 1);
  if (!error) return {};
  const Ort::Status owned(error);
  return failed("ONNX Runtime: " + owned.GetErrorMessage());
}

}  // namespace sluice::ort
