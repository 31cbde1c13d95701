// infer: runs a model on the first usable of its backends.
//
// inputs   one tensor per input of the model, by its name (a single one: any name); dense, of exactly the
// model's type outputs  one tensor per output of the model, by its name, with the geometry of the first input
// options  model; backends [cpu]; on_fallback warn|error|allow; concurrency auto|1..256; batch {max 1..64
// (1), wait_ms 0..1000
//          (0)}; priority -10..10 (0); finish_within_ms (0); rate_hz (none); the keys of `selector`; maps
//          htp, gpu, cpu, fake
// drops    failed: the backend failed, or an output is NaN or infinite; timeout: the run hung and was given
// up;
//          pool_empty: no output buffer. Filters by rate_hz.
// thread   worker when all listed backends compute (cpu), lane when one waits or runs are batched; several
// frames at once
#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <thread>

#include "framework/node/node.h"
#include "inference/checked_model.h"
#include "inference/fixed_choice.h"
#include "inference/services.h"
#include "inference/tensor_checks.h"
#include "nodes/infer_node.h"

namespace sluice {
namespace {

constexpr std::size_t kMostTensors = 32;  // inputs or outputs of a model
constexpr int kMostNonFinite = 10;        // in a row: the backend is broken, not the frame

// As many as workers and lanes can use at once, over all nodes that share the session, and some that may
// hang.
int run_slots() { return std::max(16, static_cast<int>(std::thread::hardware_concurrency()) + 4); }

// Lets through at most `rate_hz` frames per second of media time. Thread-safe; frames come nearly in order.
class RateGate {
 public:
  void set(double rate_hz) { period_ = from_s(1.0 / rate_hz); }
  bool passes(TimeNs media_time) {
    if (period_ == 0) return true;
    std::lock_guard lock(mutex_);
    // Stamps are rounded: a frame that comes a sixteenth of a period early is on time.
    if (started_ && media_time + period_ / 16 < next_) return false;
    const bool late = !started_ || media_time > next_ + period_;
    next_ = (late ? media_time : next_) + period_;
    started_ = true;
    return true;
  }

 private:
  TimeNs period_ = 0;  // 0: no limit
  std::mutex mutex_;
  TimeNs next_ = 0;
  bool started_ = false;
};

class InferNode final : public Node {
 public:
  static void describe(NodeDeclaration& declaration) { describe_infer(declaration); }
  Status open(const OpenContext& context) override;
  Status process(Context& context) override;
  Status close() override {
    session_.reset();
    return {};
  }

 private:
  Result<ChoiceRequest> read_options(const OpenContext& context, const InferenceServices& services) const;
  Status match_edges(const OpenContext& context, std::vector<std::string>* keep_float);
  Status check_outputs(std::span<Tensor* const> outputs);
  void count_saturation(std::span<const Tensor* const> inputs);

  SessionHandle session_;
  InferenceRecord* record_ = nullptr;
  std::vector<std::size_t> edges_;  // by input of the model
  bool quantised_inputs_ = false;
  int priority_ = 0;
  TimeNs finish_within_ = 0;
  RateGate gate_;
  std::atomic<int> non_finite_in_a_row_{0};
};

Result<ChoiceRequest> InferNode::read_options(const OpenContext& context,
                                              const InferenceServices& services) const {
  const Options& options = *context.options;
  ChoiceRequest choice;
  choice.backends = options.texts("backends");
  choice.options = options.all();
  SLUICE_ASSIGN(choice.request.model, services.model(options.text("model")));
  choice.request.on_fallback = options.text("on_fallback");
  choice.request.node = context.node_id;
  choice.request.slots = run_slots();
  const Options batch(options.map("batch"));
  choice.request.batch = batch.has("max") ? static_cast<int>(batch.integer("max")) : 1;
  choice.request.batch_wait_ms = batch.has("wait_ms") ? batch.number("wait_ms") : 0;
  return choice;
}

// Finds which edge feeds which input, and which quantised edges the plan left float.
Status InferNode::match_edges(const OpenContext& context, std::vector<std::string>* keep_float) {
  auto* services = static_cast<InferenceServices*>(context.services);
  SLUICE_ASSIGN(const ModelRequest model, services->model(context.options->text("model")));
  SLUICE_ASSIGN(const ModelSignature signature, read_signature(model));
  if (signature.inputs.size() > kMostTensors || signature.outputs.size() > kMostTensors)
    return unavailable("model '" + model.name + "' has more than " + std::to_string(kMostTensors) +
                       " inputs or outputs");
  SLUICE_ASSIGN(edges_, match_inputs(signature.inputs, context.input_names.at(0)));
  const NodeRoute& route = context.routes.front();
  const auto check = [keep_float](const TensorType& wanted, const PortType& port) -> Status {
    if (!port.tensor) return {};
    if (wanted.quant && port.tensor->dtype == DType::kFloat32)
      keep_float->push_back(wanted.name);
    else if (port.tensor->dtype != wanted.dtype || !(port.tensor->shape == wanted.shape))
      return invalid("'" + wanted.name + "' of the model is " + wanted.text() + ", the plan gives it " +
                     port.tensor->text());
    return {};
  };
  for (std::size_t i = 0; i < edges_.size(); ++i)
    SLUICE_RETURN_IF_ERROR(check(signature.inputs[i], route.inputs.at(0).at(edges_[i])));
  for (std::size_t i = 0; i < signature.outputs.size() && i < route.outputs.size(); ++i)
    SLUICE_RETURN_IF_ERROR(check(signature.outputs[i], route.outputs[i]));
  return {};
}

Status InferNode::open(const OpenContext& context) {
  auto* services = static_cast<InferenceServices*>(context.services);
  if (!services || context.routes.empty())
    return invalid("infer needs the services and routes of a pipeline");
  const Options& options = *context.options;
  SLUICE_ASSIGN(ChoiceRequest choice, read_options(context, *services));
  SLUICE_RETURN_IF_ERROR(match_edges(context, &choice.request.keep_float));
  record_ = &services->add_record({.node = std::string(context.node_id),
                                   .model = choice.request.model.name,
                                   .variant = {},
                                   .backend = {},
                                   .requested = choice.backends,
                                   .on_fallback = choice.request.on_fallback});
  if (options.has("policy") && options.text("policy") != "fixed")
    record_->warn("policy '" + options.text("policy") + "' is not in this build; 'fixed' is used");
  SLUICE_ASSIGN(session_, open_first_usable(*services, choice, *record_));
  for (const TensorType& type : session_->signature().inputs) quantised_inputs_ |= type.quant.has_value();
  priority_ = static_cast<int>(options.integer("priority"));
  finish_within_ = from_ms(options.number("finish_within_ms"));
  if (options.has("rate_hz")) gate_.set(options.number("rate_hz"));
  return {};
}

Status InferNode::process(Context& context) {
  if (!gate_.passes(context.frame().media_time)) {
    context.filter();
    return {};
  }
  const SessionHandle session = session_;  // this frame's, whatever replaces it
  const std::size_t outputs = session->signature().outputs.size();
  const TimeNs arrived = context.clock().now();
  std::array<const Tensor*, kMostTensors> in{};
  std::array<Packet, kMostTensors> packets;
  std::array<Tensor*, kMostTensors> out{};
  for (std::size_t i = 0; i < edges_.size(); ++i) {
    in[i] = context.input<Tensor>(0, edges_[i]);
    if (!in[i])
      return failed("input '" + session->signature().inputs[i].name + "' of the model got no tensor");
  }
  for (std::size_t i = 0; i < outputs; ++i) {
    SLUICE_ASSIGN(packets[i], context.make(i));
    out[i] = packets[i].edit<Tensor>();
    out[i]->geometry = in[0]->geometry;
  }
  const RunOrder order{priority_, finish_within_ > 0 ? arrived + finish_within_ : kNever};
  Status status = SharedSession::run(session, {in.data(), edges_.size()}, {out.data(), outputs}, order);
  if (status.code() == Code::kTimeout) {
    context.drop(DropReason::kTimeout);
    return {};
  }
  SLUICE_RETURN_IF_ERROR(status);
  record_->add_run(context.clock().now() - arrived);
  if (quantised_inputs_) count_saturation({in.data(), edges_.size()});
  SLUICE_RETURN_IF_ERROR(check_outputs({out.data(), outputs}));
  for (std::size_t i = 0; i < outputs; ++i) context.emit(i, std::move(packets[i]));
  return {};
}

Status InferNode::check_outputs(std::span<Tensor* const> outputs) {
  const std::vector<TensorType>& types = session_->signature().outputs;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::uint64_t bad = count_non_finite(types[i].dtype, *outputs[i]);
    if (bad == 0) continue;
    const std::string what = "output '" + types[i].name + "' of backend '" +
                             std::string(session_->session().backend()) + "' has " + std::to_string(bad) +
                             " values that are NaN or infinite";
    if (non_finite_in_a_row_.fetch_add(1) + 1 < kMostNonFinite) return failed(what);
    return unavailable(what + ", " + std::to_string(kMostNonFinite) +
                       " frames in a row: a failure of the backend");
  }
  non_finite_in_a_row_.store(0, std::memory_order_relaxed);
  return {};
}

void InferNode::count_saturation(std::span<const Tensor* const> inputs) {
  std::uint64_t at_ends = 0, values = 0;
  const std::vector<TensorType>& types = session_->signature().inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!types[i].quant) continue;
    at_ends += count_at_ends(types[i].dtype, *inputs[i]);
    values += inputs[i]->bytes / size_of(types[i].dtype);
  }
  record_->add_saturation(at_ends, values);
}

}  // namespace

Status register_infer_node(Registry& registry) { return registry.add<InferNode>("infer"); }

}  // namespace sluice
