// infer: runs a model on the first usable of its backends, or where the selector chooses (ModelUser).
//
// inputs   one tensor per input of the model, by its name (a single one: any name); dense, of exactly the
//          model's type
// outputs  one tensor per output of the model, by its name, with the geometry of the first input
// options  model; backends [cpu]; on_fallback warn|error|allow; concurrency auto|1..256;
//          batch {max 1..64 (1), wait_ms 0..1000 (0)}; priority -10..10 (0); finish_within_ms (0);
//          rate_hz (none); the keys of `selector`; maps htp, gpu, cpu, fake
// drops    failed: the backend failed, or an output is NaN or infinite;
//          timeout: the run hung and was given up;
//          pool_empty: no output buffer. Filters by rate_hz.
// thread   worker when all listed backends compute (cpu), lane when one waits or runs are batched; several
//          frames at once
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

#include "framework/core/log.h"
#include "framework/core/rate_grid.h"
#include "framework/core/suggest.h"
#include "framework/node/node.h"
#include "inference/checked_model.h"
#include "inference/model_user.h"
#include "inference/services.h"
#include "inference/tensor_checks.h"
#include "nodes/infer_node.h"

namespace sluice {
namespace {

constexpr std::size_t kMostTensors = 32;  // inputs or outputs of a model
constexpr int kMostNonFinite = 10;        // in a row: the backend is broken, not the frame
// A frame whose backend has failed for good waits this long for the selector's next session on its route; a
// switch of variant changes only later frames, so then the wait is in vain.
constexpr std::chrono::seconds kReplacementTime{1};

// As many as workers and lanes can use at once, over all nodes that share the session, and some that may
// hang.
int run_slots() { return std::max(16, static_cast<int>(std::thread::hardware_concurrency()) + 4); }

// Lets through at most so many frames per second of media time: one frame per period. Thread-safe. Frames
// that run at once overtake one another, and one that waits for a buffer comes again: so what is kept is who
// passed in which period.
class RateGate {
 public:
  // By the node's option, and by the selector's ladder; 0: no limit. The slower one holds.
  void set(double rate_hz) { written_ = period_of(rate_hz); }
  void limit(double rate_hz) { ladder_.store(period_of(rate_hz), std::memory_order_relaxed); }
  bool passes(const FrameInfo& frame) {
    const TimeNs period = std::max(written_, ladder_.load(std::memory_order_relaxed));
    if (period == 0) return true;
    std::lock_guard lock(mutex_);
    if (period != period_) change(period);
    const std::int64_t number = period_number(frame.media_time, period);
    if (number <= taken_) return false;  // the rate before the change has had its frame
    Passed& passed = passed_[static_cast<std::size_t>(number) % passed_.size()];
    if (passed.period == number) return passed.frame == frame.number;
    passed = {number, frame.number};
    newest_ = std::max(newest_, frame.media_time);
    return true;
  }

 private:
  struct Passed {
    std::int64_t period = -1;  // its number
    std::uint64_t frame = 0;
  };
  static TimeNs period_of(double rate_hz) { return rate_hz > 0 ? from_s(1.0 / rate_hz) : 0; }
  void change(TimeNs period) {
    taken_ = period_ > 0 && newest_ >= 0 ? period_number(newest_, period) : -1;
    period_ = period;
    passed_.fill({});
  }

  TimeNs written_ = 0;  // 0: no limit
  std::atomic<TimeNs> ladder_{0};
  std::mutex mutex_;
  TimeNs period_ = 0;
  TimeNs newest_ = -1;             // media time of the newest frame that passed
  std::int64_t taken_ = -1;        // the period that it lies in since the rate changed
  std::array<Passed, 64> passed_;  // of the last periods
};

class InferNode final : public Node, public ModelUser {
 public:
  static void describe(NodeDeclaration& declaration) { describe_infer(declaration); }
  Status open(const OpenContext& context) override;
  Status process(Context& context) override;
  Status close() override;

  Result<LoadedModelPtr> load(std::size_t route, const ModelRequest& model) override;
  Result<LoadedModelPtr> load_on(std::size_t route, const ModelRequest& model,
                                 const std::string& backend) override;
  void use(std::size_t route, LoadedModelPtr model) override;
  LoadedModelPtr in_use(std::size_t route) const override;
  void note(std::size_t route, std::string reason) override;
  void note(std::size_t route, Choice choice) override;
  void warn(const std::string& text) override;
  void limit_rate(double rate_hz) override { gate_.limit(rate_hz); }
  void tell(RunMeter* meter, std::function<void()> failed) override;

 private:
  Status read_options(const OpenContext& context);
  Status match_edges(const OpenContext& context);
  Status check_one_path() const;
  // Where the session is that frames of this route run on.
  std::size_t own(std::size_t route) const { return one_path_ ? 0 : route; }
  Result<LoadedModel> match(std::size_t route, const ModelSignature& signature,
                            std::vector<std::string>* keep_float) const;
  using Opener = std::function<Result<OpenedModel>(const ChoiceRequest&)>;
  Result<LoadedModelPtr> load_with(std::size_t route, const ModelRequest& model, const Opener& opener);
  Result<LoadedModelPtr> hand_over(std::size_t route, const LoadedModelPtr& lost, const Status& why);
  Status run(std::size_t route, LoadedModelPtr& model, std::span<const Tensor* const> inputs,
             std::span<Tensor* const> outputs, RunOrder order);
  LoadedModelPtr replacement_of(std::size_t route, const LoadedModelPtr& lost);
  LoadedModelPtr begin(std::size_t route, std::uint64_t frame);
  void note_failure(const LoadedModelPtr& model);
  Status check_outputs(const LoadedModel& model, std::span<Tensor* const> outputs);
  void collect_ranges(const LoadedModel& model, std::span<const Tensor* const> inputs,
                      std::span<Tensor* const> outputs);

  InferenceServices* services_ = nullptr;
  InferenceRecord* record_ = nullptr;
  ChoiceRequest choice_;
  std::vector<NodeRoute> types_;      // by route
  std::vector<std::string> inputs_;   // names of the model's inputs, by edge
  std::mutex hand_over_;              // held while a backend that failed is replaced
  std::condition_variable replaced_;  // a route got another model
  // Frames that start beside each other may come here in another order. So that a change lies between two
  // frames, those older than one that had begun before it run on what that one did.
  struct Running {
    LoadedModelPtr now, before;
    std::uint64_t from = 0;  // the first frame that runs on `now`
  };
  mutable std::mutex mutex_;                 // guards what follows
  std::vector<Running> models_;              // by route
  std::uint64_t next_frame_ = 0;             // after the newest that has begun
  std::weak_ptr<const LoadedModel> failed_;  // the last one that failed
  LoadedModelPtr in_vain_;                   // failed for good, and nothing took its place
  std::uint64_t most_beside_ = 1;            // frames that may run at the same time
  bool one_path_ = false;                    // its model has no variants in use: all routes share one session
  int priority_ = 0;
  TimeNs finish_within_ = 0;
  RateGate gate_;
  RunMeter* meter_ = nullptr;  // set before the first frame
  std::function<void()> on_failure_;
  std::atomic<int> non_finite_in_a_row_{0};
};

Status InferNode::read_options(const OpenContext& context) {
  const Options& options = *context.options;
  choice_.backends = options.texts("backends");
  choice_.options = options.all();
  SLUICE_ASSIGN(choice_.request.model, services_->model(options.text("model")));
  choice_.request.on_fallback = options.text("on_fallback");
  choice_.request.node = context.node_id;
  choice_.request.slots = run_slots();
  const Options batch(options.map("batch"));
  choice_.request.batch = batch.has("max") ? static_cast<int>(batch.integer("max")) : 1;
  choice_.request.batch_wait_ms = batch.has("wait_ms") ? batch.number("wait_ms") : 0;
  priority_ = static_cast<int>(options.integer("priority"));
  finish_within_ = from_ms(options.number("finish_within_ms"));
  if (options.has("rate_hz")) gate_.set(options.number("rate_hz"));
  return {};
}

// Which of the model's inputs each edge feeds: by the names the file gave, else by position.
Status InferNode::match_edges(const OpenContext& context) {
  SLUICE_ASSIGN(const ModelSignature signature, read_signature(choice_.request.model));
  SLUICE_ASSIGN(const std::vector<std::size_t> edges,
                match_inputs(signature.inputs, context.input_names.at(0)));
  inputs_.resize(edges.size());
  for (std::size_t i = 0; i < edges.size(); ++i) inputs_[edges[i]] = signature.inputs[i].name;
  return {};
}

// What the plan feeds and reads must be what the model takes and gives. `keep_float` gets the quantised edges
// that the plan left float.
Status check_type(const TensorType& model, const PortType& plan, std::vector<std::string>* keep_float) {
  if (!plan.tensor) return {};
  const TensorType& wanted = *plan.tensor;
  if (model.quant && wanted.dtype == DType::kFloat32 && model.shape == wanted.shape) {
    keep_float->push_back(model.name);
    return {};
  }
  const bool same_numbers = !model.quant || !wanted.quant || agree(*model.quant, *wanted.quant);
  if (model.dtype == wanted.dtype && model.shape == wanted.shape && same_numbers) return {};
  return invalid("'" + model.name + "' of the model is " + model.text() + ", the plan has " + wanted.text());
}

Result<LoadedModel> InferNode::match(std::size_t route, const ModelSignature& signature,
                                     std::vector<std::string>* keep_float) const {
  const NodeRoute& types = types_[route];
  if (signature.inputs.size() != inputs_.size() || signature.outputs.size() != types.outputs.size())
    return invalid("the model has " + std::to_string(signature.inputs.size()) + " inputs and " +
                   std::to_string(signature.outputs.size()) + " outputs, the plan has " +
                   std::to_string(inputs_.size()) + " and " + std::to_string(types.outputs.size()));
  LoadedModel out;
  for (const TensorType& input : signature.inputs) {
    const auto edge = std::ranges::find(inputs_, input.name);
    if (edge == inputs_.end()) return invalid("the plan has no input '" + input.name + "' of the model");
    out.edges.push_back(static_cast<std::size_t>(edge - inputs_.begin()));
    SLUICE_RETURN_IF_ERROR(check_type(input, types.inputs.at(0).at(out.edges.back()), keep_float));
  }
  for (const TensorType& output : signature.outputs) {
    const auto port = std::ranges::find(types.outputs, output.name, &PortType::name);
    if (port == types.outputs.end())
      return invalid("the plan has no output '" + output.name + "' of the model");
    out.ports.push_back(static_cast<std::size_t>(port - types.outputs.begin()));
    SLUICE_RETURN_IF_ERROR(check_type(output, *port, keep_float));
  }
  return out;
}

// One session has one set of quantised edges.
Status InferNode::check_one_path() const {
  SLUICE_ASSIGN(const ModelSignature signature, read_signature(choice_.request.model));
  std::vector<std::string> first;
  SLUICE_RETURN_IF_ERROR(match(0, signature, &first).status());
  for (std::size_t route = 1; route < types_.size(); ++route) {
    std::vector<std::string> other;
    SLUICE_RETURN_IF_ERROR(match(route, signature, &other).status());
    if (first != other)
      return invalid("model '" + signature.name + "' exchanges tensors with another one's variant '" +
                     types_[route].variant +
                     "', which are float in one of them and quantised in the other (" +
                     comma_list(first.size() > other.size() ? first : other) +
                     "); keep the variants apart by a 'quantize' or 'dequantize' between the two models");
  }
  return {};
}

Status InferNode::open(const OpenContext& context) {
  services_ = static_cast<InferenceServices*>(context.services);
  if (!services_ || context.routes.empty())
    return invalid("infer needs the services and routes of a pipeline");
  const Options& options = *context.options;
  SLUICE_RETURN_IF_ERROR(read_options(context));
  most_beside_ = static_cast<std::uint64_t>(std::max(1, services_->runs_at_once(context.node_id)));
  types_.assign(context.routes.begin(), context.routes.end());
  models_.resize(types_.size());
  const ModelRequest model = choice_.request.model;
  SLUICE_RETURN_IF_ERROR(match_edges(context));
  one_path_ = services_->is_on_one_path(context.node_id);
  if (one_path_) SLUICE_RETURN_IF_ERROR(check_one_path());
  InferenceEntry entry;
  entry.node = context.node_id;
  entry.model = model.name;
  entry.requested = choice_.backends;
  entry.on_fallback = choice_.request.on_fallback;
  record_ = &services_->add_record(std::move(entry));
  SLUICE_ASSIGN(LoadedModelPtr loaded, load(0, model));
  use(0, std::move(loaded));
  // Under another policy the first decision is the selector's.
  if (!options.has("policy") || options.text("policy") == "fixed") note(0, std::string());
  return {};
}

Result<LoadedModelPtr> InferNode::load(std::size_t route, const ModelRequest& model) {
  return load_with(route, model, [this](const ChoiceRequest& choice) {
    return open_first_usable(*services_, choice, *record_);
  });
}

Result<LoadedModelPtr> InferNode::load_on(std::size_t route, const ModelRequest& model,
                                          const std::string& backend) {
  return load_with(route, model, [&](const ChoiceRequest& choice) {
    return open_on(*services_, choice, backend, *record_);
  });
}

Result<LoadedModelPtr> InferNode::load_with(std::size_t route, const ModelRequest& model,
                                            const Opener& opener) {
  ChoiceRequest choice = choice_;
  choice.request.model = model;
  SLUICE_ASSIGN(const ModelSignature signature, read_signature(model));
  if (signature.inputs.size() > kMostTensors || signature.outputs.size() > kMostTensors)
    return unavailable("model '" + model.name + "' has more than " + std::to_string(kMostTensors) +
                       " inputs or outputs");
  SLUICE_ASSIGN(LoadedModel loaded, match(route, signature, &choice.request.keep_float));
  SLUICE_ASSIGN(loaded.opened, opener(choice));
  return LoadedModelPtr(std::make_shared<const LoadedModel>(std::move(loaded)));
}

void InferNode::use(std::size_t route, LoadedModelPtr model) {
  const SessionHandle session = model->opened.session;
  const std::string& id = choice_.request.node;
  session->expect_runs_of(id, services_->runs_at_once(id));
  Running old;
  {
    std::lock_guard lock(mutex_);
    Running& running = models_[own(route)];
    old = std::exchange(running, {std::move(model), running.now, next_frame_});
    if (old.before && old.from == next_frame_) running.before = old.before;  // no frame has run on `old.now`
    if (most_beside_ == 1 || running.before == failed_.lock()) running.before = nullptr;
    in_vain_ = nullptr;
  }
  if (old.now && old.now->opened.session != session) old.now->opened.session->expect_none_of(id);
  replaced_.notify_all();
}

// What a frame that begins runs on, whatever replaces it.
LoadedModelPtr InferNode::begin(std::size_t route, std::uint64_t frame) {
  LoadedModelPtr gone;  // let go without the lock
  std::lock_guard lock(mutex_);
  if (models_.empty()) return nullptr;
  next_frame_ = std::max(next_frame_, frame + 1);
  Running& running = models_[own(route)];
  if (running.before && frame < running.from) return running.before;
  if (frame >= running.from + most_beside_) gone = std::move(running.before);
  return running.now;
}

LoadedModelPtr InferNode::in_use(std::size_t route) const {
  std::lock_guard lock(mutex_);
  return own(route) < models_.size() ? models_[own(route)].now : nullptr;
}

void InferNode::note(std::size_t route, std::string reason) {
  const LoadedModelPtr model = in_use(route);
  Choice choice = model->opened.choice;
  choice.at = services_->clock().now();
  if (!reason.empty()) choice.reason = std::move(reason) + "; " + choice.reason;
  note(route, std::move(choice));
}

void InferNode::note(std::size_t route, Choice choice) {
  const LoadedModelPtr model = in_use(route);
  record_->choose(std::move(choice), model->opened.placement, model->opened.session);
}

// The session of `lost` has failed for good and no selector chooses. Frames that lost it at the same time
// wait here for the first one's choice: that costs less than losing them.
Result<LoadedModelPtr> InferNode::hand_over(std::size_t route, const LoadedModelPtr& lost,
                                            const Status& why) {
  const std::lock_guard one_at_a_time(hand_over_);
  if (LoadedModelPtr current = in_use(route); current != lost) return current;
  const SessionRequest& request = lost->opened.session->request();
  SLUICE_ASSIGN(LoadedModelPtr next, load_with(route, request.model, [&](const ChoiceRequest& choice) {
                  return open_next_usable(*services_, choice, request.backend, why, *record_);
                }));
  use(route, next);
  note(route, std::string());
  return next;
}

// Under a selector: what it put in the place of `lost`, once it has; `lost` itself when it does not in time.
LoadedModelPtr InferNode::replacement_of(std::size_t route, const LoadedModelPtr& lost) {
  std::unique_lock lock(mutex_);
  const auto settled = [&] { return models_.empty() || models_[own(route)].now != lost; };
  // Where one frame waited in vain, the next one does not try.
  if (in_vain_ != lost && !replaced_.wait_for(lock, kReplacementTime, settled)) in_vain_ = lost;
  return models_.empty() ? nullptr : models_[own(route)].now;
}

// On `model`, or on those that take over when it has failed for good; then `model` is the one that ran.
Status InferNode::run(std::size_t route, LoadedModelPtr& model, std::span<const Tensor* const> inputs,
                      std::span<Tensor* const> outputs, RunOrder order) {
  for (;;) {
    Status status = SharedSession::run(model->opened.session, inputs, outputs, order);
    if (!status.ok()) note_failure(model);
    if (status.code() != Code::kUnavailable) return status;
    LoadedModelPtr next;
    if (meter_) {
      warn(status.message());
      next = replacement_of(route, model);
    } else {
      SLUICE_ASSIGN(next, hand_over(route, model, status));
    }
    if (!next || next == model) return status;  // the node is being closed, or nothing else may run
    model = std::move(next);
  }
}

void InferNode::warn(const std::string& text) {
  if (record_->warn(text) && choice_.request.on_fallback == "warn")
    log_message(LogLevel::kWarning, "node '" + choice_.request.node + "': " + text);
}

void InferNode::tell(RunMeter* meter, std::function<void()> failed) {
  meter_ = meter;
  on_failure_ = std::move(failed);
}

void InferNode::note_failure(const LoadedModelPtr& model) {
  {
    std::lock_guard lock(mutex_);
    failed_ = model;
  }
  if (!meter_ || model->candidate < 0) return;
  meter_->add_failure(static_cast<std::size_t>(model->candidate));
  on_failure_();
}

Status InferNode::close() {
  {
    std::lock_guard lock(mutex_);
    models_.clear();
    in_vain_ = nullptr;
  }
  replaced_.notify_all();
  return {};
}

Status InferNode::process(Context& context) {
  if (!gate_.passes(context.frame())) {
    context.filter();
    return {};
  }
  LoadedModelPtr model = begin(context.route(), context.frame().number);
  if (!model) return failed("the variant of this frame has no session");
  const std::size_t inputs = model->edges.size();
  const std::size_t outputs = model->ports.size();
  const TimeNs arrived = context.clock().now();
  std::array<const Tensor*, kMostTensors> in{};
  std::array<Packet, kMostTensors> packets;
  std::array<Tensor*, kMostTensors> out{};
  for (std::size_t i = 0; i < inputs; ++i) {
    in[i] = context.input<Tensor>(0, model->edges[i]);
    if (!in[i])
      return failed("input '" + model->opened.session->signature().inputs[i].name +
                    "' of the model got no tensor");
  }
  for (std::size_t i = 0; i < outputs; ++i) {
    SLUICE_ASSIGN(packets[i], context.make(model->ports[i]));
    out[i] = packets[i].edit<Tensor>();
    out[i]->geometry = in[0]->geometry;
  }
  TimeNs ran = 0;
  const RunOrder order{priority_, finish_within_ > 0 ? arrived + finish_within_ : kNever, 0,
                       meter_ ? &ran : nullptr};
  Status status = run(context.route(), model, {in.data(), inputs}, {out.data(), outputs}, order);
  SLUICE_RETURN_IF_ERROR(status);
  const TimeNs took = context.clock().now() - arrived;
  record_->add_run(took);
  if (meter_ && model->candidate >= 0)
    meter_->add_run(static_cast<std::size_t>(model->candidate), ran > 0 ? ran : took);
  status = check_outputs(*model, {out.data(), outputs});
  if (status.code() == Code::kUnavailable) note_failure(model);
  SLUICE_RETURN_IF_ERROR(status);
  if (services_->ranges()) collect_ranges(*model, {in.data(), inputs}, {out.data(), outputs});
  for (std::size_t i = 0; i < outputs; ++i) context.emit(model->ports[i], std::move(packets[i]));
  return {};
}

Status InferNode::check_outputs(const LoadedModel& model, std::span<Tensor* const> outputs) {
  const SharedSession& session = *model.opened.session;
  const std::vector<TensorType>& types = session.signature().outputs;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::uint64_t bad = count_non_finite(types[i].dtype, *outputs[i]);
    if (bad == 0) continue;
    const std::string what = "output '" + types[i].name + "' of backend '" +
                             std::string(session.session().backend()) + "' has " + std::to_string(bad) +
                             " values that are NaN or infinite";
    if (non_finite_in_a_row_.fetch_add(1) + 1 < kMostNonFinite) return failed(what);
    return unavailable(what + ", " + std::to_string(kMostNonFinite) +
                       " frames in a row: a failure of the backend");
  }
  non_finite_in_a_row_.store(0, std::memory_order_relaxed);
  return {};
}

void InferNode::collect_ranges(const LoadedModel& model, std::span<const Tensor* const> inputs,
                               std::span<Tensor* const> outputs) {
  const ModelSignature& signature = model.opened.session->signature();
  for (std::size_t i = 0; i < inputs.size(); ++i)
    services_->ranges()->add(signature.name, signature.inputs[i], *inputs[i]);
  for (std::size_t i = 0; i < outputs.size(); ++i)
    services_->ranges()->add(signature.name, signature.outputs[i], *outputs[i]);
}

}  // namespace

Status register_infer_node(Registry& registry) { return registry.add<InferNode>("infer"); }

}  // namespace sluice
