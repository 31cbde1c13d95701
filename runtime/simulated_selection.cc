#include "runtime/simulated_selection.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "framework/core/log.h"
#include "runtime/selected_nodes.h"
#include "simulation/power_law.h"

namespace sluice {
namespace {

double header_fps(const SimulatedRun& run, const NodePlan& node) {
  return node.source < 0 ? 0 : run.source_fps(static_cast<std::size_t>(node.source));
}

InferChoice choice_for(const SelectorCandidate& candidate) {
  InferChoice out;
  out.backend = candidate.backend;
  out.variant = candidate.variant;
  out.performance_mode = candidate.performance_mode;
  return out;
}

// What the profile says of a candidate: its time, unit and energy, or why the device cannot run it.
void estimate(const SimulatedRun& run, int node, SelectorCandidate& candidate) {
  const Result<Work> work = run.costs().infer_work(node, choice_for(candidate));
  if (!work.ok()) {
    candidate.unusable = work.status().message();
    return;
  }
  const UnitProfile& unit = run.profile().units[static_cast<std::size_t>(work->unit)];
  const double ms = work->fixed_ms + work->compute_ms / work->speed;
  const double watts =
      work->beside ? work->extra_w : (unit.active_w - unit.idle_w) / unit.queues * power_share(work->speed);
  candidate.unit = unit.role;
  candidate.latency_ms = {ms, run.costs().basis(node, choice_for(candidate))};
  candidate.energy_mj = {watts * ms, Basis::kAssumed};
}

bool failed_at(const SelectionEvent& event, std::size_t node) {
  return event.kind == SelectionEvent::Kind::kPeriod &&
         std::ranges::any_of(event.runs[node].failures, [](std::uint32_t count) { return count > 0; });
}

bool answers_a_failure(const SelectionEvent& event) {
  for (std::size_t node = 0; node < event.runs.size(); ++node) {
    if (failed_at(event, node)) return true;
  }
  return false;
}

}  // namespace

Result<std::unique_ptr<SimulatedSelection>> SimulatedSelection::create(
    SimulatedRun& run, const std::shared_ptr<const RecordedSelection>& replay) {
  std::vector<SelectedNode> nodes;
  std::vector<std::size_t> infer;
  for (std::size_t i = 0; i < run.infer().size(); ++i) {
    const int node = run.infer()[i].node;
    const NodePlan& plan = run.plan().nodes[static_cast<std::size_t>(node)];
    if (!takes_selection(plan)) continue;
    nodes.push_back(selected_node(run.plan(), static_cast<std::size_t>(node), header_fps(run, plan)));
    for (SelectorCandidate& candidate : nodes.back().candidates) estimate(run, node, candidate);
    infer.push_back(i);
  }
  if (nodes.empty() && !replay) return std::unique_ptr<SimulatedSelection>();
  std::unique_ptr<SelectionReplay> recorded;
  if (replay) {
    recorded = std::make_unique<SelectionReplay>(replay);
    SLUICE_RETURN_IF_ERROR(recorded->adopt(nodes));
  }
  std::unique_ptr<SimulatedSelection> out(new SimulatedSelection(run, std::move(nodes), std::move(infer)));
  out->replay_ = std::move(recorded);
  return out;
}

SimulatedSelection::SimulatedSelection(SimulatedRun& run, std::vector<SelectedNode> nodes,
                                       std::vector<std::size_t> infer)
    : run_(run), infer_(std::move(infer)), node_(run.infer().size(), -1), selection_(std::move(nodes)) {
  for (std::size_t n = 0; n < infer_.size(); ++n) node_[infer_[n]] = static_cast<int>(n);
}

void SimulatedSelection::record(std::string_view device,
                                const std::function<void(const std::string&)>& line) {
  std::vector<SelectedNode> nodes;
  nodes.reserve(selection_.nodes());
  for (std::size_t n = 0; n < selection_.nodes(); ++n) nodes.push_back(selection_.node(n));
  line(selection_begin_line(device, run_.device().ambient_c(), nodes));
  selection_.record([line](const SelectionEvent& event, std::span<const SelectionChange> changes) {
    line(selection_line(event, changes));
  });
}

// A probe is run again, for the time and heat that it takes: without it the device would be another one.
void SimulatedSelection::follow_one() {
  ++followed_;
  if (const SelectionEvent& event = replay_->next(); event.kind != SelectionEvent::Kind::kPeriod)
    std::ignore = run_.probe(infer_[event.node], choice_of(event.node, event.candidate));
  carry_out(replay_->step(selection_));
}

// The recording's steps that are due, and a timer for the next one. The first call takes those of its start.
void SimulatedSelection::follow() {
  const bool starting = replay_->before_start();
  while (!replay_->over() && (starting ? replay_->before_start() : replay_->next_due() <= run_.now())) {
    if (!starting && answers_a_failure(replay_->next())) break;
    follow_one();
  }
  follow_from_next();
}

// The answer to a failure belongs after the frame that failed then. Where the recording's faults happen here,
// too, `on_run` takes it right there; else the moment's end does.
void SimulatedSelection::follow_from_next() {
  for (const std::string& notice : replay_->take_notices()) log_message(LogLevel::kWarning, notice);
  if (replay_->over()) return;
  const auto go_on = [this, taken = followed_, failed = answers_a_failure(replay_->next())] {
    if (taken != followed_) return;  // `on_run` was first, and set a timer of its own
    if (failed) follow_one();
    follow();
  };
  const TimeNs due = replay_->next_due();
  if (answers_a_failure(replay_->next()))
    run_.call_after_frames_at(due, go_on);
  else
    run_.call_at(due, go_on);
}

void SimulatedSelection::follow_failure(std::size_t node) {
  if (!following_ || replay_->over() || replay_->next_due() != run_.now()) return;
  if (!failed_at(replay_->next(), node)) return;
  follow_one();
  follow();
}

void SimulatedSelection::on_period(TimeNs now, const Readings& readings) {
  readings_ = readings;
  if (replay_) {
    if (!std::exchange(following_, true)) follow();
    return;
  }
  carry_out(selection_.on_period(now, readings));
  probe_one(now);
}

std::string SimulatedSelection::warning(std::size_t infer) const {
  const int n = node_[infer];
  if (n < 0 || !selection_.blind(static_cast<std::size_t>(n))) return {};
  return blind_words(selection_.node(static_cast<std::size_t>(n)).policy);
}

// What failed need not be what is current now: a run that hangs is given up later.
void SimulatedSelection::on_run(std::size_t infer, const InferChoice& choice, TimeNs took,
                                const Status& status) {
  if (node_[infer] < 0) return;
  const auto n = static_cast<std::size_t>(node_[infer]);
  if (replay_) {
    if (!status.ok()) follow_failure(n);
    return;
  }
  const std::vector<SelectorCandidate>& candidates = selection_.node(n).candidates;
  const auto ran = std::ranges::find_if(candidates, [&](const SelectorCandidate& c) {
    return c.backend == choice.backend && c.variant == choice.variant &&
           c.performance_mode == choice.performance_mode;
  });
  if (ran == candidates.end()) return;
  const auto candidate = static_cast<std::size_t>(ran - candidates.begin());
  if (status.ok()) {
    selection_.meter(n).add_run(candidate, took);
    return;
  }
  selection_.meter(n).add_failure(candidate);
  carry_out(selection_.on_period(run_.now(), readings_));
}

InferChoice SimulatedSelection::choice_of(std::size_t node, std::size_t candidate) const {
  return choice_for(selection_.node(node).candidates[candidate]);
}

void SimulatedSelection::carry_out(const std::vector<SelectionChange>& changes) {
  for (const SelectionChange& change : changes) {
    if (change.candidate < 0) continue;  // nothing may run: what runs goes on
    InferChoice choice = choice_of(change.node, static_cast<std::size_t>(change.candidate));
    choice.rate_hz = change.rate_hz;
    choice.step = change.step;
    choice.reason = "simulated " + run_.profile().name + ": " + change.reason;
    const Status chosen = run_.choose(infer_[change.node], std::move(choice));
    if (!chosen.ok()) log_message(LogLevel::kError, chosen.message());
  }
}

// At most one a period, so that probes cost little.
void SimulatedSelection::probe_one(TimeNs now) {
  for (std::size_t n = 0; n < infer_.size(); ++n) {
    const int wanted = selection_.probe_wanted(n);
    if (wanted < 0) continue;
    const auto candidate = static_cast<std::size_t>(wanted);
    const Result<double> took = run_.probe(infer_[n], choice_of(n, candidate));
    if (took.ok()) {
      selection_.note_probe(n, candidate, now, *took);
    } else {
      selection_.note_failure(n, candidate, now);
    }
    return;
  }
}

}  // namespace sluice
