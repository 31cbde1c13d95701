#include "simulation/simulated_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/core/rate_grid.h"
#include "inference/backend_options.h"

namespace sluice {
namespace {

// A run in which nothing moves for this long has stalled: a flow that waits for ever, or a source slower than
// once an hour.
constexpr double kStalledAfterS = 3600;
constexpr double kSteadyKelvinPerMinute = 0.05;
// Of a timer: after all that arrives or ends at the same instant.
constexpr std::int64_t kDispatch = INT64_MAX;

std::size_t total_slots(const FlowGraph& flow) {
  std::size_t slots = 0;
  for (const FlowSource& s : flow.sources) slots += static_cast<std::size_t>(s.slots);
  return slots;
}

}  // namespace

SimulatedRun::SimulatedRun(SimulatedSetup setup)
    : setup_(std::move(setup)), flow_(make_flow_graph(*setup_.plan)) {}

Result<std::unique_ptr<SimulatedRun>> SimulatedRun::create(SimulatedSetup setup) {
  std::unique_ptr<SimulatedRun> out(new SimulatedRun(std::move(setup)));
  SLUICE_RETURN_IF_ERROR(out->prepare());
  return out;
}

Status SimulatedRun::prepare() {
  device_ = std::make_unique<SimulatedDevice>(
      setup_.profile, setup_.ambient_c.value_or(setup_.profile.ambient_c), setup_.seed);
  if (setup_.cool_down_s > 0) idled_before_ = device_->settle(kSteadyKelvinPerMinute, setup_.cool_down_s);
  offset_ = device_->now();
  SLUICE_ASSIGN(costs_, NodeCosts::create(*setup_.plan, device_->profile(), setup_.timings));
  Status all;
  for (std::size_t n = 0; n < setup_.plan->nodes.size(); ++n) {
    const NodePlan& plan = setup_.plan->nodes[n];
    const std::string& type = plan.declaration->type;
    NodeState state;
    state.options = plan.options.get();
    state.work = costs_->work(static_cast<int>(n));
    using Kind = NodeState::Kind;
    if (type == "rate_limit") state.kind = Kind::kRateLimit;
    if (type == "drop_stale") state.kind = Kind::kDropStale;
    if (type == "switch") state.kind = Kind::kSwitch;
    if (type == "infer") {
      state.kind = Kind::kInfer;
      state.infer = infer_.size();
      state.faults = FakeFaults(Options(plan.options->map("fake")));
      infer_.push_back({static_cast<int>(n), {}, {}, 0, 0, {}});
    }
    nodes_.push_back(state);
    if (type != "infer") continue;
    auto choice = costs_->first_choice(static_cast<int>(n), warnings_);
    const Status status = choice.ok() ? choose(state.infer, std::move(*choice)) : choice.status();
    if (!status.ok())
      all = Status(status.code(), all.ok() ? status.message() : all.message() + "\n" + status.message());
  }
  SLUICE_RETURN_IF_ERROR(all);
  lanes_.resize(device_->profile().units.size());
  runs_.resize(total_slots(flow_) * flow_.units.size());
  for (std::size_t i = 0; i < runs_.size(); ++i)
    runs_[i].resize(flow_.units[i % flow_.units.size()].nodes.size());
  make_feeds();
  make_executor();
  return {};
}

void SimulatedRun::make_feeds() {
  for (std::size_t s = 0; s < setup_.plan->sources.size(); ++s) {
    const SourcePlan& plan = setup_.plan->sources[s];
    SimulatedFeed::Setup feed;
    feed.source = static_cast<int>(s);
    feed.info = setup_.sources[s];
    feed.pace = Pace::parse(plan.pace);
    feed.limit = setup_.frames.value_or(-1);
    feed.endless = setup_.endless;
    feed.work = nodes_[static_cast<std::size_t>(plan.node)].work;
    feed.device = device_.get();
    feed.clock = &clock_;
    feed.device_offset = offset_;
    feeds_.push_back(std::make_unique<SimulatedFeed>(feed));
  }
}

void SimulatedRun::make_executor() {
  ExecutorSetup setup;
  setup.graph = flow_;
  setup.threads.assign(flow_.units.size(), ThreadKind::kWorker);
  for (auto& feed : feeds_) setup.feeds.push_back(feed.get());
  setup.bodies = this;
  setup.storage = this;
  setup.clock = &clock_;
  setup.cost = [this](std::uint32_t, const FrameInfo&) { return cost_; };  // called right after `run`
  executor_ = std::make_unique<DiscreteExecutor>(std::move(setup), clock_);
}

Status SimulatedRun::choose(std::size_t infer, InferChoice choice) {
  InferState& state = infer_[infer];
  SLUICE_ASSIGN(nodes_[static_cast<std::size_t>(state.node)].work, costs_->infer_work(state.node, choice));
  state.choice = choice;
  // Before the first frame the last word counts.
  if (state.runs == 0 && !state.decisions.empty() && state.decisions.back().at == clock_.now())
    state.decisions.pop_back();
  state.decisions.push_back({clock_.now(), std::move(choice)});
  return {};
}

Result<double> SimulatedRun::probe(std::size_t infer, const InferChoice& choice) {
  NodeState& node = nodes_[static_cast<std::size_t>(infer_[infer].node)];
  SLUICE_ASSIGN(Work work, costs_->infer_work(infer_[infer].node, choice));
  if (choice.backend == "fake") {
    SLUICE_RETURN_IF_ERROR(node.faults.probe(work.fixed_ms).status);
  }
  const TimeNs at = clock_.now() + offset_;
  device_->advance(at);
  const SimulatedDevice::Span span = device_->run(work, at);
  return to_ms(span.end - span.start);
}

Status SimulatedRun::run() {
  if (setup_.duration_s)
    clock_.at(from_s(*setup_.duration_s), TimerKey{-3, 0}, [this] { executor_->stop(); });
  clock_.at(from_s(setup_.period_s), TimerKey{-2, 0}, [this] { tick(); });
  SLUICE_RETURN_IF_ERROR(executor_->start());
  if (executor_->wait(0) && idle_periods_ >= 0) return {};
  return failed(fmt::format("the simulated run stalled at {:.1f} s", to_s(clock_.now())));
}

// The ticks that are due still come, and no others.
void SimulatedRun::idle(double seconds) { clock_.advance_to(clock_.now() + from_s(seconds)); }

void SimulatedRun::tick() {
  const TimeNs now = clock_.now();
  device_->advance(now + offset_);
  if (on_period_) on_period_(now, device_->readings(now));
  const std::uint64_t progress = executor_->progress();
  idle_periods_ = progress == progress_ ? idle_periods_ + 1 : 0;
  progress_ = progress;
  if (idle_periods_ * setup_.period_s > kStalledAfterS) {
    idle_periods_ = -1;  // no timer is left: the executor gives up
    return;
  }
  clock_.at(now + from_s(setup_.period_s), TimerKey{-2, 0}, [this] { tick(); });
}

Outcome SimulatedRun::run(std::uint32_t unit, Slot slot, const FrameInfo& frame) {
  const FlowUnit& spec = flow_.units[unit];
  const std::span<NodeRun> runs = runs_of(unit, slot);
  Outcome out;
  const TimeNs start = clock_.now();
  TimeNs now = start;
  device_->advance(start + offset_);
  for (std::size_t i = 0; i < spec.nodes.size(); ++i) {
    NodeState& node = nodes_[static_cast<std::size_t>(spec.nodes[i])];
    runs[i] = {};
    out.runs = runs.first(i + 1);
    if (i > 0 && flow_.deadline > 0 && now - frame.captured > flow_.deadline) {
      runs[i].busy = -1;  // lost before it started
      out.kind = Outcome::Kind::kDropped;
      out.reason = DropReason::kStale;
      break;
    }
    out.kind = pass(node, frame, now, out);
    if (out.kind != Outcome::Kind::kData) break;
    if (waits_its_turn(node, spec)) {
      enqueue(node, {unit, slot, node.work, now, frame.number});
      cost_ = kNever;
      return out;
    }
    Status status;
    const TimeNs end = node.kind == NodeState::Kind::kInfer ? do_infer(node, node.work, now, now, status)
                                                            : do_work(node, now);
    runs[i].busy = end - now;
    now = end;
    if (!status.ok()) {
      lose(spec.nodes[i], status, frame, out);
      break;
    }
    runs[i].packets = setup_.plan->nodes[static_cast<std::size_t>(spec.nodes[i])].outputs.empty() ? 0 : 1;
  }
  cost_ = now - start;
  return out;
}

void SimulatedRun::lose(int node, const Status& status, const FrameInfo& frame, Outcome& out) {
  if (on_failure_) on_failure_(node, status, frame);
  out.kind = Outcome::Kind::kDropped;
  out.reason = status.code() == Code::kTimeout ? DropReason::kTimeout : DropReason::kFailed;
}

// --- accelerators: whose turn it is, as in inference/lane.h ------------------------------------------------

// Backends that compute run in the workers, and the fake one beside the device: in the order of arrival.
// What waits has a unit of the flow to itself.
bool SimulatedRun::waits_its_turn(const NodeState& node, const FlowUnit& unit) const {
  if (node.kind != NodeState::Kind::kInfer || unit.nodes.size() != 1) return false;
  return !node.work.beside && backend_waits(infer_[node.infer].choice.backend);
}

void SimulatedRun::enqueue(const NodeState& node, const QueuedRun& run) {
  const int device_unit = run.work.unit;
  const TimeNs arrived = run.arrived;
  RunOrder order;
  order.priority = static_cast<int>(node.options->integer("priority"));
  const TimeNs within = from_ms(node.options->number("finish_within_ms"));
  if (within > 0) order.due = arrived + within;
  lanes_[static_cast<std::size_t>(device_unit)].waiting.add(run, order);
  clock_.at(arrived, TimerKey{kDispatch, device_unit}, [=, this] { dispatch(device_unit); });
}

void SimulatedRun::dispatch(int device_unit) {
  Lane& lane = lanes_[static_cast<std::size_t>(device_unit)];
  const int width = device_->profile().units[static_cast<std::size_t>(device_unit)].queues;
  while (lane.running < width && !lane.waiting.empty()) {
    ++lane.running;
    start_queued(lane.waiting.take());
  }
}

void SimulatedRun::start_queued(const QueuedRun& run) {
  const TimeNs now = clock_.now();
  const int plan_node = flow_.units[run.unit].nodes[0];
  NodeState& node = nodes_[static_cast<std::size_t>(plan_node)];
  device_->advance(now + offset_);
  Status status;  // only the fake backend's runs fail, and they do not wait here
  const TimeNs end = do_infer(node, run.work, run.arrived, now, status);
  clock_.at(end, TimerKey{run.unit, static_cast<std::int64_t>(run.frame)}, [=, this] { end_queued(run); });
}

// The next run starts before the node hears of this one's end, as a lane's thread does it.
void SimulatedRun::end_queued(const QueuedRun& run) {
  --lanes_[static_cast<std::size_t>(run.work.unit)].running;
  dispatch(run.work.unit);
  const std::span<NodeRun> runs = runs_of(run.unit, run.slot);
  Outcome out;
  out.kind = Outcome::Kind::kData;
  out.runs = runs;
  runs[0].busy = clock_.now() - run.arrived;
  runs[0].packets = 1;
  executor_->end_run(run.unit, run.slot, out);
}

Outcome::Kind SimulatedRun::pass(NodeState& node, const FrameInfo& frame, TimeNs now, Outcome& out) {
  using Kind = NodeState::Kind;
  const auto turned_away = [&out](DropReason reason) {
    out.reason = reason;
    return reason == DropReason::kFiltered ? Outcome::Kind::kFiltered : Outcome::Kind::kDropped;
  };
  switch (node.kind) {
    case Kind::kPlain:
      break;
    case Kind::kInfer:
      if (!is_due(node, frame.media_time, infer_rate(node))) return turned_away(DropReason::kFiltered);
      break;
    case Kind::kRateLimit:
      if (!is_due(node, frame.media_time, node.options->number("rate_hz")))
        return turned_away(DropReason::kFiltered);
      break;
    case Kind::kDropStale:
      if (now - frame.captured > from_ms(node.options->number("max_age_ms")))
        return turned_away(DropReason::kStale);
      break;
    case Kind::kSwitch:
      out.filtered_outputs = node.options->text("to") == "b" ? 1 : 2;
      break;
  }
  return Outcome::Kind::kData;
}

// The node's own rate, or the ladder's where that is lower; 0: none.
double SimulatedRun::infer_rate(const NodeState& node) const {
  const double ladder = infer_[node.infer].choice.rate_hz;
  const double own = node.options->has("rate_hz") ? node.options->number("rate_hz") : 0;
  return own > 0 && (ladder <= 0 || own < ladder) ? own : ladder;
}

// As `rate_limit` does it.
bool SimulatedRun::is_due(NodeState& node, TimeNs media_time, double rate_hz) {
  if (rate_hz <= 0) return true;
  const TimeNs period = from_s(1 / rate_hz);
  if (node.started && period_number(media_time, period) <= period_number(node.last_passed, period))
    return false;
  node.last_passed = media_time;
  node.started = true;
  return true;
}

// When it is done.
TimeNs SimulatedRun::do_work(NodeState& node, TimeNs now) {
  if (node.work.fixed_ms <= 0 && node.work.compute_ms <= 0) return now;
  const SimulatedDevice::Span span = device_->run(node.work, now + offset_);
  return span.end - offset_;
}

// As `do_work`, with the faults of the backend `fake`; it arrived at its node at `arrived`.
TimeNs SimulatedRun::do_infer(NodeState& node, Work work, TimeNs arrived, TimeNs now, Status& status) {
  InferState& state = infer_[node.infer];
  const bool current = work == node.work;  // what queued may be of an earlier choice
  FakeFaults::Run run;
  if (work.beside)
    run = node.faults.next(work.fixed_ms);
  else
    node.faults.ran_elsewhere();
  if (run.gives_up_ms > 0) work.fixed_ms = run.gives_up_ms;
  status = run.status;
  const SimulatedDevice::Span span = device_->run(work, now + offset_);
  const TimeNs end = span.end - offset_;
  if (status.ok() || run.wrote_nan) {
    state.latency.add(end - arrived);
    state.busy += span.end - span.start;
    ++state.runs;
  }
  const bool frame_only = run.wrote_nan && status.code() != Code::kUnavailable;
  if (!on_run_ || !current) return end;
  const TimeNs took = span.end - span.start;
  const InferChoice choice = state.choice;  // another one may be taken until it is given up, and by `on_run_`
  if (run.gives_up_ms > 0)
    clock_.at(end, TimerKey{-2, 2},
              [this, n = node.infer, choice, took, status] { on_run_(n, choice, took, status); });
  else
    on_run_(node.infer, choice, took, frame_only ? Status{} : status);
  return end;
}

}  // namespace sluice
