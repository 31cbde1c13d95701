#include "runtime/engine.h"

#include <algorithm>

#include <fmt/format.h>

#include "backends/backends.h"
#include "framework/core/guarded.h"
#include "framework/core/log.h"
#include "framework/graph/tbb_executor.h"
#include "framework/node/type_calls.h"
#include "nodes/app_ends.h"
#include "runtime/clip_sources.h"
#include "runtime/selected_nodes.h"

namespace sluice {
namespace {

constexpr std::size_t kRowAlign = 64;
constexpr std::uint64_t kWarmUpFrames = 30;  // contract section 5
constexpr double kMostSeconds = 1e9;         // 31 years: far from where a time in nanoseconds overflows

SourceNode* as_source(Node* node) { return dynamic_cast<SourceNode*>(node); }

// A NaN among them would end the run at once or never.
Status check_options(const RunOptions& options) {
  constexpr int kMostWorkers = 1024;
  if (options.frames.value_or(0) < 0)
    return invalid(fmt::format("RunOptions::frames is {}, allowed: at least 0", *options.frames));
  if (const double s = options.duration_s.value_or(0); !(s >= 0 && s <= kMostSeconds))
    return invalid(fmt::format("RunOptions::duration_s is {:g}, allowed: 0 to {:g}", s, kMostSeconds));
  if (options.workers < 0 || options.workers > kMostWorkers)
    return invalid(fmt::format("RunOptions::workers is {}, allowed: 0 to {}", options.workers, kMostWorkers));
  return {};
}

// Several failures as one: its code decides the exit code, its message has one line each.
void add_failure(Status& all, const Status& one) {
  if (one.ok()) return;
  const Code code = all.ok() || one.code() == Code::kUnavailable ? one.code() : all.code();
  all = Status(code, all.ok() ? one.message() : all.message() + "\n" + one.message());
}

// Of the picture that leaves there: what a node edits may come from another source than its other inputs.
int picture_source(const Plan& plan, std::size_t node, const OutputPlan& output) {
  const NodePlan& n = plan.nodes[node];
  if (output.edited_input < 0) return n.source;
  const auto& edges = n.inputs[static_cast<std::size_t>(output.edited_input)];
  return plan.nodes[static_cast<std::size_t>(plan.edges[static_cast<std::size_t>(edges.front())].from_node)]
      .source;
}

}  // namespace

Engine::Engine(std::shared_ptr<const Plan> plan, EngineSetup setup)
    : plan_(std::move(plan)),
      setup_(std::move(setup)),
      own_clock_(setup_.clock ? nullptr : std::make_unique<SteadyClock>()),
      clock_(setup_.clock ? *setup_.clock : *own_clock_),
      nodes_(plan_->nodes.size()),
      opened_(plan_->nodes.size()),
      infos_(plan_->sources.size()),
      flow_(make_flow_graph(*plan_)) {}

Engine::~Engine() {
  if (started_ && !finished_) {
    stop(true);
    while (!wait_for(3600)) {
    }
    static_cast<void>(finish());
  }
  watchdog_.reset();
  if (selection_) selection_->stop();
  if (pools_) pools_->stop_telling();
  executor_.reset();
  if (!finished_) static_cast<void>(close_nodes());
  nodes_.clear();
  if (bodies_) bodies_->clear_mailboxes();
}

Status Engine::create_nodes(Mark* failed_at) {
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    const NodePlan& plan = plan_->nodes[n];
    auto node = create_node(*plan.declaration);
    if (!node.ok() && failed_at) *failed_at = plan.mark;
    if (!node.ok()) return node.status().with_context(fmt::format("node '{}': ", plan.id));
    nodes_[n] = std::move(*node);
  }
  return {};
}

Node* Engine::node(std::string_view id) const {
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    if (plan_->nodes[n].id == id) return nodes_[n].get();
  }
  return nullptr;
}

// --- opening -----------------------------------------------------------------------------------------------

void Engine::make_services(const RunOptions& options) {
  InferenceSetup setup;
  setup.backends = setup_.make_backends ? setup_.make_backends(clock_) : make_backends(clock_);
  setup.clock = &clock_;
  setup.ranges = options.ranges;
  for (const ModelPlan& model : plan_->models) {
    setup.models.push_back({model.name, "", model.path, model.sha256, model.dims});
    for (const auto& v : model.variants)
      setup.models.push_back({model.name, v.name, v.path, v.sha256, model.dims});
  }
  for (const NodePlan& node : plan_->nodes) {
    const SourcePlan& source = plan_->sources[static_cast<std::size_t>(node.source)];
    setup.runs_at_once[node.id] = std::min(node.concurrency, source.slots);
    if (node.choice >= 0 && !chooses_route(*plan_, node)) setup.on_one_path.insert(node.id);
  }
  services_ = std::make_unique<InferenceServices>(std::move(setup));
}

OpenContext Engine::open_context(int index) const {
  const NodePlan& plan = plan_->nodes[static_cast<std::size_t>(index)];
  OpenContext context;
  context.node_id = plan.id;
  context.options = plan.options.get();
  context.clock = &clock_;
  context.routes = plan.routes;
  for (const auto& port : plan.inputs) {
    auto& names = context.input_names.emplace_back();
    for (int e : port) names.push_back(plan_->edges[static_cast<std::size_t>(e)].element);
  }
  for (const SourcePlan& s : plan_->sources)
    context.source_names.push_back(plan_->nodes[static_cast<std::size_t>(s.node)].id);
  for (const SourceInfo& info : infos_) context.source_rates.push_back(info.fps);
  context.services = services_.get();
  return context;
}

Status Engine::open_sources() {
  Status all;
  for (std::size_t s = 0; s < plan_->sources.size(); ++s) {
    const int index = plan_->sources[s].node;
    const auto n = static_cast<std::size_t>(index);
    SourceNode* source = as_source(nodes_[n].get());
    opened_[n] = 1;
    const Status status = guarded([&]() -> Status {
      if (!source) return invalid("its class is no SourceNode");
      SLUICE_ASSIGN(infos_[s], source->probe(open_context(index)));
      return {};
    });
    add_failure(all, status.with_context(fmt::format("node '{}': ", plan_->nodes[n].id)));
  }
  return all;
}

Status Engine::open_nodes() {
  Status all;
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    if (plan_->nodes[n].declaration->source) continue;
    opened_[n] = 1;
    const Status status = guarded([&] { return nodes_[n]->open(open_context(static_cast<int>(n))); });
    add_failure(all, status.with_context(fmt::format("node '{}': ", plan_->nodes[n].id)));
  }
  return all;
}

Status Engine::make_pools() {
  shared_ = std::make_unique<SharedPools>(*plan_, *services_);
  SLUICE_ASSIGN(pools_, Pools::create(
                            *plan_, [this](int node) { pool_available(node); },
                            [this](int node, int output) { return shared_->memory_of(node, output); }));
  for (std::size_t s = 0; s < plan_->sources.size(); ++s) {
    SLUICE_RETURN_IF_ERROR(make_frame_pools(static_cast<int>(s), infos_[s]));
  }
  return {};
}

// The source's own frames, and those that nodes below make in the same size (copies to draw on). Buffers
// never become smaller: a decoder that puts pictures in order tells a new size before it gives the last ones
// of the old.
Status Engine::make_frame_pools(int source, const SourceInfo& info) {
  if (info.type.format == PixelFormat::kNone) return {};
  SLUICE_ASSIGN(std::size_t bytes, image_bytes(info.type, kRowAlign));
  // Pictures of a folder differ in size: the source knows the largest.
  if (info.decoder_buffers == 0) bytes = std::max(bytes, info.buffer_bytes);
  for (std::size_t n = 0; n < plan_->nodes.size(); ++n) {
    const NodePlan& plan = plan_->nodes[n];
    for (std::size_t o = 0; o < plan.outputs.size(); ++o) {
      const OutputPlan& out = plan.outputs[o];
      if (picture_source(*plan_, n, out) != source) continue;
      // Later the source alone is drained: a node of another one may be taking buffers.
      if (executor_ && plan.source != source) continue;
      const OutputPools& pool = pools_->at(static_cast<int>(n), static_cast<int>(o));
      if (!pool.packets || pool.packets->type() != payload_type<Image>() || out.buffer_bytes > 0) continue;
      const bool own = plan.declaration->source;
      const std::size_t now = pool.buffers ? pool.buffers->bytes_each() : 0;
      SLUICE_RETURN_IF_ERROR(pools_->make_buffers(
          static_cast<int>(n), static_cast<int>(o),
          std::max({now, bytes, own ? info.buffer_bytes : std::size_t{0}}), own ? info.decoder_buffers : 0));
    }
  }
  return {};
}

void Engine::pool_available(int node) {
  const NodePlan& plan = plan_->nodes[static_cast<std::size_t>(node)];
  if (!executor_) return;
  if (plan.declaration->source) {
    for (auto& feed : feeds_) feed->wake();
  } else {
    executor_->resume(static_cast<std::uint32_t>(plan.unit));
  }
}

Status Engine::probe(const RunOptions& options) {
  SLUICE_RETURN_IF_ERROR(check_options(options));
  if (probed_) return {};
  SLUICE_ASSIGN(device_, choose_device(options.device, plan_->device));
  make_services(options);
  Status all = open_sources();
  if (all.ok()) add_failure(all, make_pools());
  add_failure(all, open_nodes());
  auto sensors = make_telemetry(device_.telemetry, [this] { return inference_load(); });
  add_failure(all, sensors.status());
  if (!all.ok()) return all;
  connect_clip_meters(*plan_, *services_);
  sensors_ = std::move(*sensors);
  failures_ = std::make_unique<Failures>(*plan_, clock_);
  std::vector<Node*> nodes;
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    nodes.push_back(plan_->nodes[n].declaration->source ? nullptr : nodes_[n].get());
  }
  bodies_ = std::make_unique<NodeBodies>(*plan_, flow_, std::move(nodes), *pools_, clock_,
                                         [this](int node, const Status& status, const FrameInfo& frame) {
                                           failures_->add(node, status, frame);
                                         });
  make_feeds(options);
  if (!options.trace.empty()) trace_ = std::make_unique<Trace>(*plan_, clock_);
  make_executor(options);
  SLUICE_RETURN_IF_ERROR(open_selection(options));
  probed_ = true;
  return {};
}

void Engine::make_feeds(const RunOptions& options) {
  for (std::size_t s = 0; s < plan_->sources.size(); ++s) {
    Node* node = nodes_[static_cast<std::size_t>(plan_->sources[s].node)].get();
    NodeFeed::Setup setup;
    setup.plan = plan_.get();
    setup.source = static_cast<int>(s);
    setup.node = as_source(node);
    setup.info = infos_[s];
    setup.limit = options.frames.value_or(-1);
    setup.external = dynamic_cast<AppSource*>(node) != nullptr;
    setup.bodies = bodies_.get();
    setup.pools = pools_.get();
    setup.clock = &clock_;
    setup.remake_pools = [this](int source, const SourceInfo& info) {
      return make_frame_pools(source, info);
    };
    setup.on_capture = [this] { count_produced(); };
    feeds_.push_back(std::make_unique<NodeFeed>(std::move(setup)));
  }
}

void Engine::make_executor(const RunOptions& options) {
  ExecutorSetup setup;
  setup.graph = flow_;
  for (const UnitPlan& unit : plan_->units) {
    setup.threads.push_back(plan_->nodes[static_cast<std::size_t>(unit.nodes.front())].thread);
  }
  for (auto& feed : feeds_) setup.feeds.push_back(feed.get());
  setup.bodies = bodies_.get();
  setup.storage = bodies_.get();
  setup.clock = &clock_;
  setup.workers = options.workers;
  setup.observer = trace_.get();
  if (trace_) bodies_->time_runs();
  setup.on_broken = [this](const Status& why) {
    give_up(why.with_context("the run was abandoned: a message could not be sent: "));
  };
  executor_ = setup_.make_executor ? setup_.make_executor(std::move(setup))
                                   : std::make_unique<TbbExecutor>(std::move(setup));
  for (auto& feed : feeds_) feed->attach(*executor_);
}

void Engine::connect_app_sources() {
  for (std::size_t s = 0; s < feeds_.size(); ++s) {
    auto* app = dynamic_cast<AppSource*>(nodes_[static_cast<std::size_t>(plan_->sources[s].node)].get());
    if (!app) continue;
    NodeFeed* feed = feeds_[s].get();
    app->connect(*feed, [feed](Result<Capture> capture) { return feed->push(std::move(capture)); });
  }
}

void Engine::disconnect_app_sources() {
  for (const auto& node : nodes_) {
    if (auto* app = dynamic_cast<AppSource*>(node.get())) app->disconnect();
  }
}

// --- running -----------------------------------------------------------------------------------------------

Status Engine::start(const RunOptions& options) {
  if (started_ || !start_status_.ok()) return invalid("the pipeline was already started");
  Status status = guarded([&] { return open_and_begin(options); });
  if (status.ok() && !may_run()) status = cancelled("stopped before the first frame");
  if (status.ok()) {
    status = guarded([&] { return set_off(options); });
    if (!status.ok()) end_what_started();
  }
  if (!status.ok()) disconnect_app_sources();  // whoever pushes would wait for ever
  std::lock_guard lock(mutex_);
  readable_ = true;
  started_ = status.ok();
  start_status_ = status;
  return status;
}

Status Engine::set_off(const RunOptions& options) {
  started_at_ = clock_.now();
  watchdog_ = std::make_unique<Watchdog>(
      *plan_, *executor_, clock_, [this](const Status& why) { give_up(why); }, setup_.limits);
  if (sensors_) telemetry_ = std::make_unique<TelemetryThread>(std::move(sensors_), clock_);
  if (options.duration_s) {
    duration_timer_ =
        clock_.at(started_at_ + from_s(*options.duration_s), TimerKey{-3, 0}, [this] { stop(false); });
  }
  begin_taking_calls();
  executor_entered_ = true;
  SLUICE_RETURN_IF_ERROR(executor_->start());
  if (selection_) selection_->start(started_at_);
  connect_app_sources();
  return {};
}

// Before the first frame, whose callbacks may call.
void Engine::begin_taking_calls() {
  {
    std::lock_guard lock(mutex_);
    readable_ = true;
  }
  std::lock_guard lock(models_mutex_);
  models_open_ = true;
}

// Some threads run and others could not be started.
void Engine::end_what_started() {
  stop(false);
  for (std::size_t s = 0; s < feeds_.size() && !executor_entered_; ++s)
    executor_->end_source(static_cast<int>(s), {});
  while (!executor_->wait(3600)) {
  }
  clock_.cancel(duration_timer_);
  watchdog_.reset();
  if (selection_) selection_->stop();
  std::lock_guard lock(models_mutex_);
  models_open_ = false;
}

Status Engine::open_and_begin(const RunOptions& options) {
  SLUICE_RETURN_IF_ERROR(probe(options));
  if (selection_) SLUICE_RETURN_IF_ERROR(selection_->warm_up([this] { return stop_is_wanted(); }));
  if (trace_) SLUICE_RETURN_IF_ERROR(trace_->start(options.trace, pools_.get()));
  return begin_run();
}

bool Engine::stop_is_wanted() {
  std::lock_guard lock(stop_mutex_);
  return stop_wanted_;
}

// False when the run was stopped while it opened.
bool Engine::may_run() {
  std::lock_guard lock(stop_mutex_);
  running_ = !stop_wanted_;
  return running_;
}

// The probe has succeeded everywhere: sinks may create their files now.
Status Engine::begin_run() {
  Status all;
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    const Status status = begin_node(n);
    add_failure(all, status.with_context(fmt::format("node '{}': ", plan_->nodes[n].id)));
  }
  return all;
}

void Engine::stop(bool by_user) {
  if (by_user) stopped_by_user_ = true;
  {
    std::lock_guard lock(stop_mutex_);
    stop_wanted_ = true;
    if (!running_) {
      for (auto& node : nodes_) {
        if (SourceNode* source = as_source(node.get())) source->interrupt();
      }
      return;
    }
  }
  executor_->stop();
  for (std::size_t s = 0; s < feeds_.size(); ++s) {
    if (feeds_[s]->external()) executor_->end_source(static_cast<int>(s), {});
  }
}

// In the clock's thread. What hangs keeps its node, its packets and its thread; everything else is closed by
// `finish`.
void Engine::give_up(const Status& why) {
  if (giving_up_.exchange(true)) return;
  for (const Waiting& w : executor_->waiting()) {
    if (w.what != Waiting::For::kRun) continue;
    const std::vector<int>& nodes = plan_->units[w.unit].nodes;
    hung_nodes_.insert(hung_nodes_.end(), nodes.begin(), nodes.end());
  }
  const std::vector<SourceEnd> ends = executor_->source_ends();
  for (std::size_t s = 0; s < ends.size(); ++s) {
    if (!ends[s].ended) hung_nodes_.push_back(plan_->sources[s].node);
  }
  gave_up_ = why;
  abandoned_ = true;
  executor_->abandon();
}

bool Engine::hangs(std::size_t node) const {
  return std::count(hung_nodes_.begin(), hung_nodes_.end(), static_cast<int>(node)) > 0;
}

// The moment the steady part begins: figures per frame leave the warm-up out.
void Engine::count_produced() {
  if (produced_.fetch_add(1, std::memory_order_relaxed) + 1 != kWarmUpFrames) return;
  steady_start_ = read_process_stats();
  steady_.store(true, std::memory_order_release);
}

bool Engine::wait_for(double seconds) { return !started_ || executor_->wait(seconds); }

Status Engine::finish() {
  if (!started_) return start_status_.ok() ? invalid("the pipeline was not started") : start_status_;
  if (finished_) return outcome();
  const TimeNs ended_at = clock_.now();
  const ProcessStats end = read_process_stats();
  const std::uint64_t frames = produced_.load() - std::min<std::uint64_t>(produced_.load(), kWarmUpFrames);
  clock_.cancel(duration_timer_);
  if (telemetry_) telemetry_->stop();
  watchdog_.reset();
  if (selection_) selection_->stop();
  if (!abandoned_) executor_->shut_down();
  Status closed = close_nodes();
  add_failure(closed, finish_trace());
  std::lock_guard lock(mutex_);
  ended_at_ = ended_at;
  steady_end_ = end;
  steady_frames_ = frames;
  close_status_ = std::move(closed);
  finished_ = true;
  return outcome();
}

Status Engine::close_nodes() {
  std::lock_guard lock(models_mutex_);
  models_open_ = false;
  Status all;
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    if (!opened_[n] || hangs(n)) continue;
    opened_[n] = 0;
    const Status status = guarded([&] { return nodes_[n]->close(); });
    add_failure(all, status.with_context(fmt::format("node '{}': ", plan_->nodes[n].id)));
  }
  return all;
}

Status Engine::finish_trace() {
  if (!trace_) return {};
  const Status status = trace_->finish(report(), started_at_);
  if (const std::uint64_t lost = trace_->figures().lost; status.ok() && lost > 0) {
    log_message(LogLevel::kWarning,
                fmt::format("--trace: {} events had no room and are missing in it", lost));
  }
  return status;
}

// Why the run failed, or ok (contract section 3 rule 8).
Status Engine::outcome() const {
  if (!start_status_.ok()) return start_status_;
  Status all = gave_up_;
  if (const int node = executor_->stopped_by(); node >= 0) {
    add_failure(all, failed(failures_->decisive(node)));
  }
  const std::vector<SourceEnd> ends = executor_->source_ends();
  for (std::size_t s = 0; s < ends.size(); ++s) {
    if (ends[s].status.ok()) continue;
    const std::string& id = plan_->nodes[static_cast<std::size_t>(plan_->sources[s].node)].id;
    add_failure(all, Status(Code::kFailed, fmt::format("node '{}': {}", id, ends[s].status.message())));
  }
  add_failure(all, close_status_);
  return all;
}

}  // namespace sluice
