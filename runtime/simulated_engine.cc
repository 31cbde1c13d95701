#include "runtime/simulated_engine.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/core/guarded.h"
#include "framework/core/log.h"
#include "framework/node/type_calls.h"
#include "nodes/app_ends.h"
#include "runtime/flow_report.h"
#include "simulation/profile_reader.h"

namespace sluice {
namespace {

constexpr std::string_view kPrefix = "sim:";

Result<SourceInfo> read_header(const Plan& plan, const NodePlan& node, OpeningStop& stop) {
  SLUICE_ASSIGN(const std::unique_ptr<Node> made, create_node(*node.declaration));
  auto* const source = dynamic_cast<SourceNode*>(made.get());
  if (!source) return invalid("its class is no SourceNode");
  if (dynamic_cast<AppSource*>(made.get()))
    return unavailable("an app_source has no header that a simulated run could read");
  SteadyClock clock;
  OpenContext context;
  context.node_id = node.id;
  context.options = node.options.get();
  context.clock = &clock;
  context.routes = node.routes;
  for (const SourcePlan& s : plan.sources)
    context.source_names.push_back(plan.nodes[static_cast<std::size_t>(s.node)].id);
  Result<SourceInfo> info = stop.while_probing(*source, [&] { return source->probe(context); });
  const Status closed = source->close();
  if (info.ok() && !closed.ok()) return closed;
  return info;
}

std::vector<DecisionReport> decision_reports(const InferState& state) {
  std::vector<DecisionReport> out;
  for (const InferDecision& d : state.decisions) {
    const bool has_mode = !d.choice.performance_mode.empty();
    out.push_back({to_s(d.at), d.choice.backend, d.choice.variant,
                   has_mode ? std::optional(d.choice.performance_mode) : std::nullopt, d.choice.step,
                   d.choice.reason});
  }
  return out;
}

InferenceReport inference_report(const Plan& plan, const InferState& state) {
  const NodePlan& node = plan.nodes[static_cast<std::size_t>(state.node)];
  InferenceReport out;
  out.node = node.id;
  out.model = node.options->text("model");
  out.variant = state.choice.variant;
  out.backend = state.choice.backend;
  out.requested = node.options->texts("backends");
  out.simulated = true;
  out.latency = figures_of(state.latency);
  out.decisions = decision_reports(state);
  for (const DecisionReport& d : out.decisions) {
    if (std::ranges::find(out.simulated_backends, d.backend) == out.simulated_backends.end())
      out.simulated_backends.push_back(d.backend);
  }
  return out;
}

}  // namespace

Result<std::vector<SourceInfo>> read_source_headers(const Plan& plan, OpeningStop& stop) {
  std::vector<SourceInfo> out;
  for (const SourcePlan& source : plan.sources) {
    const NodePlan& node = plan.nodes[static_cast<std::size_t>(source.node)];
    Result<SourceInfo> info = failed("");
    try {
      info = read_header(plan, node, stop);
    } catch (const std::exception& e) {
      info = failed(std::string("threw an exception: ") + e.what());
    }
    if (!info.ok()) return info.status().with_context(fmt::format("node '{}': ", node.id));
    out.push_back(*info);
  }
  return out;
}

SimulatedEngine::SimulatedEngine(std::unique_ptr<SimulatedRun> run, const RunOptions& options)
    : run_(std::move(run)),
      options_(options),
      failures_(run_->plan(), run_->clock()),
      energy_at_start_j_(run_->device().energy_j()) {
  readings_ = run_->device().readings(0);
  run_->on_period([this](TimeNs now, const Readings& readings) {
    readings_ = readings;
    summary_.add(readings);
    if (selection_ && !loaded_) selection_->on_period(now, readings);
    if (!options_.every_second) return;
    const LentLock::Resting rest(lock_);
    options_.every_second();
  });
  run_->on_event([this] { lock_.lend(); });
  run_->on_failure(
      [this](int node, const Status& status, const FrameInfo& frame) { failures_.add(node, status, frame); });
}

void SimulatedEngine::warn_of_selection() {
  for (std::size_t i = 0; i < run_->infer().size(); ++i) {
    const std::string text = warned_.emplace_back(selection_->warning(i));
    const NodePlan& node = run_->plan().nodes[static_cast<std::size_t>(run_->infer()[i].node)];
    if (!text.empty()) log_message(LogLevel::kWarning, "node '" + node.id + "': " + text);
  }
}

// Makes the first choices.
Status SimulatedEngine::begin_selection(const ChosenDevice& device) {
  SLUICE_ASSIGN(selection_, SimulatedSelection::create(*run_, device.replay));
  const bool traced = Options(device.telemetry).text("telemetry") == "trace";
  if (traced && !device.replay)
    log_message(LogLevel::kWarning,
                "device: telemetry is 'trace', and its readings stay unused: a simulated device has its own");
  if (!selection_) return {};
  if (options_.record) selection_->record(device.name, options_.record);
  selection_->on_period(run_->now(), readings_);
  warn_of_selection();
  if (options_.record) options_.record(selection_start_line(selection_->start()));
  run_->on_run([this](std::size_t infer, const InferChoice& choice, TimeNs took, const Status& status) {
    if (!loaded_) selection_->on_run(infer, choice, took, status);
  });
  return {};
}

Result<std::unique_ptr<SimulatedEngine>> SimulatedEngine::create(std::shared_ptr<const Plan> plan,
                                                                 const RunOptions& options,
                                                                 const ChosenDevice& device,
                                                                 OpeningStop& stop) {
  if (!options.trace.empty())
    return invalid(
        fmt::format("--trace: on the device '{}' nothing is executed, so there is nothing to trace; leave "
                    "out --trace or take a real device",
                    device.name));
  SimulatedSetup setup;
  SLUICE_ASSIGN(setup.profile, load_profile(device.name.substr(kPrefix.size())));
  if (!options.timings.empty()) {
    SLUICE_ASSIGN(setup.timings, read_timings(options.timings));
    if (std::ranges::none_of(plan->nodes, [&](const NodePlan& n) { return setup.timings.contains(n.id); }))
      return invalid(fmt::format("--timings: {} has times of no node of this pipeline; it is of another one",
                                 options.timings));
  }
  SLUICE_ASSIGN(setup.sources, read_source_headers(*plan, stop));
  setup.plan = std::move(plan);
  setup.frames = options.frames;
  setup.duration_s = options.duration_s;
  setup.ambient_c = options.ambient_c;
  if (!setup.ambient_c && device.replay) setup.ambient_c = device.replay->ambient_c;
  setup.seed = options.seed;
  setup.cool_down_s = options.idle_before_s;
  SLUICE_ASSIGN(std::unique_ptr<SimulatedRun> run, SimulatedRun::create(std::move(setup)));
  for (const std::string& warning : run->warnings()) log_message(LogLevel::kWarning, warning);
  std::unique_ptr<SimulatedEngine> out(new SimulatedEngine(std::move(run), options));
  SLUICE_RETURN_IF_ERROR(out->begin_selection(device));
  return out;
}

Status SimulatedEngine::run() {
  const LentLock::Working work(lock_);
  try {
    return run_to_the_end();
  } catch (...) {  // the application's; its run has failed for whoever asks later
    outcome_ = failed("the simulated run was broken off: " + status_of_exception().message());
    ended_ = run_->now();
    throw;
  }
}

Status SimulatedEngine::run_to_the_end() {
  outcome_ = run_->run();
  if (const int node = run_->stopped_by(); outcome_.ok() && node >= 0)
    outcome_ = failed(failures_.decisive(node));
  ended_ = run_->now();
  loaded_ = true;
  energy_j_ = run_->device().energy_j() - energy_at_start_j_;
  if (!outcome_.ok()) return outcome_;
  const bool idles = options_.idle_after_s > 0 && !stopped_;
  if (idles && options_.every_second) {  // what ran ends here, whatever the second
    const LentLock::Resting rest(lock_);
    options_.every_second();
  }
  for (double left = options_.idle_after_s; left > 0 && !stopped_; --left) {
    run_->idle(std::min(left, 1.0));
    lock_.lend();
  }
  return outcome_;
}

void SimulatedEngine::stop() {
  stopped_ = true;
  run_->stop();
}

RunReport SimulatedEngine::report() const {
  const LentLock::Reading reading(lock_);
  RunReport out;
  fill_flow(run_->plan(), run_->flow(), run_->counters(), out);
  out.simulated = true;
  out.status = !outcome_.ok() ? RunStatus::kFailed : stopped_ ? RunStatus::kStopped : RunStatus::kCompleted;
  if (!outcome_.ok()) out.error = outcome_.message();
  out.wall_s = to_s(ended_);
  for (std::size_t i = 0; i < run_->infer().size(); ++i) {
    out.inference.push_back(inference_report(run_->plan(), run_->infer()[i]));
    if (i < warned_.size() && !warned_[i].empty()) out.inference.back().warnings.push_back(warned_[i]);
  }
  out.device = summary_.report("simulated");
  out.device->profile = run_->device().profile().name;
  out.device->ambient_c = run_->device().ambient_c();
  out.device->energy_j = energy_j_;
  if (const auto& idle = run_->idled_before()) out.device->idled_before = {idle->seconds, idle->steady};
  out.warnings = run_->warnings();
  return out;
}

RunSnapshot SimulatedEngine::snapshot() const {
  const LentLock::Reading reading(lock_);
  RunSnapshot out;
  out.at = run_->now();
  out.over = loaded_;
  out.counters = run_->counters();
  for (const InferState& state : run_->infer()) {
    const NodePlan& node = run_->plan().nodes[static_cast<std::size_t>(state.node)];
    out.infer.push_back({node.id, state.choice.backend, state.choice.variant, state.choice.performance_mode,
                         state.choice.reason, state.choice.step, decision_reports(state)});
  }
  out.readings = readings_;
  out.energy_j = run_->device().energy_j() - energy_at_start_j_;
  return out;
}

}  // namespace sluice
