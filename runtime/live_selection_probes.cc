// What LiveSelection measures while frames run, away from them.
#include <algorithm>

#include "inference/selection/measure.h"
#include "runtime/live_selection.h"
#include "runtime/selected_nodes.h"

namespace sluice {
namespace {

constexpr TimeNs kLeastTimeout = from_ms(500);  // of one run
constexpr TimeNs kProbeTimeout = from_s(2);     // of one run whose latency is not known
constexpr double kProbeSlack = 20;              // so many times as long as it took before
constexpr int kProbeRuns = 3;                   // of which the middle one counts

}  // namespace

void LiveSelection::probe_one(TimeNs now) {
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    const int wanted = nodes_[n].held ? -1 : selection_->probe_wanted(n);
    if (wanted >= 0) return probe(n, static_cast<std::size_t>(wanted), now);
  }
}

// What frames run on at `session`, by node; a node whose model is held may run on any of its routes.
std::vector<LiveSelection::Running> LiveSelection::running_on(const SessionHandle& session) const {
  std::vector<Running> out;
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    const int current = selection_->current(n);
    for (std::size_t c = 0; c < nodes_[n].routes.size(); ++c) {
      if (!nodes_[n].held && static_cast<int>(c) != current) continue;
      LoadedModelPtr model = nodes_[n].user->in_use(nodes_[n].routes[c]);
      if (model && model->opened.session == session) out.push_back({n, std::move(model)});
    }
  }
  return out;
}

// Frames run on its session, and well, in another mode, in which it cannot be measured; and what it took
// before is known.
bool LiveSelection::works_in_another_mode(std::size_t n, std::size_t c) const {
  const LoadedModelPtr& loaded = nodes_[n].loaded[c];
  if (!loaded || selection_->state(n).candidates[c].now_ms <= 0) return false;
  const std::vector<Running> running = running_on(loaded->opened.session);
  return std::ranges::any_of(running, [&](const Running& one) {
    if (one.model->candidate < 0) return false;
    const auto candidate = static_cast<std::size_t>(one.model->candidate);
    return candidate_of(one.node, candidate).performance_mode != candidate_of(n, c).performance_mode &&
           selection_->state(one.node).candidates[candidate].breaker.usable();
  });
}

void LiveSelection::probe(std::size_t n, std::size_t c, TimeNs now) {
  LiveNode& node = nodes_[n];
  const CandidateState& known = selection_->state(n).candidates[c];
  if (works_in_another_mode(n, c)) return selection_->note_probe(n, c, now, known.now_ms);
  if (!node.loaded[c]) {
    auto opened = open_candidate(node, candidate_of(n, c), node.routes[c]);
    if (!opened.ok()) return selection_->note_failure(n, c, now);
    adopt(node, c, *opened);
  }
  MeasureRequest request{.runs = kProbeRuns};
  request.timeout =
      known.base_ms > 0 ? std::max(kLeastTimeout, from_ms(known.base_ms * kProbeSlack)) : kProbeTimeout;
  request.stopped = [this] {
    std::lock_guard lock(wake_mutex_);
    return stopping_;
  };
  set_mode(*node.loaded[c], candidate_of(n, c));
  const auto measured = measure(node.loaded[c]->opened.session, *setup_.clock, request);
  set_modes_again(node.loaded[c]->opened.session, now);
  if (measured.ok()) return selection_->note_probe(n, c, setup_.clock->now(), measured->median_ms);
  if (measured.status().code() == Code::kCancelled) return;
  selection_->note_failure(n, c, setup_.clock->now());
  let_go(n, c);
}

// A probe has set another mode than frames run in.
void LiveSelection::set_modes_again(const SessionHandle& session, TimeNs now) {
  for (const Running& one : running_on(session)) {
    if (one.model->candidate >= 0)
      set_mode(*one.model, candidate_of(one.node, static_cast<std::size_t>(one.model->candidate)));
  }
  leave_to_bystanders(session, now);
}

// The next probe is of a new session, also where a route or another node still holds this one.
void LiveSelection::let_go(std::size_t n, std::size_t c) {
  LiveNode& node = nodes_[n];
  setup_.services->sessions().forget(node.loaded[c]->opened.session);
  for (std::size_t other = 0; other < node.loaded.size(); ++other)
    if (same_session(candidate_of(n, other), candidate_of(n, c))) node.loaded[other].reset();
}

}  // namespace sluice
