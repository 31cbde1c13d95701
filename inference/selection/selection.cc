#include "inference/selection/selection.h"

#include <algorithm>
#include <array>
#include <utility>

#include "inference/backend_options.h"
#include "inference/selector/ladder.h"

namespace sluice {
namespace {

// A measurement older than this many dwells is not believed any more, and not before 5 s.
constexpr double kStaleDwells = 3, kStaleLeast = 5;
constexpr double kWhole = 0.5;          // s: periods cut short by a failure say nothing of the rate
constexpr TimeNs kSeldom = from_s(15);  // between probes of a node that misses its rate
constexpr double kKeepsUp = 0.9;        // of its rate: a node that gives less has no time for probes

// Runs of others that are under way are waited for: they cost somewhat more than their time [assumed].
constexpr double kCollisions = 1.1;

// Cores run several nodes at once, and so does the fake backend.
bool is_queued(const SelectorCandidate& candidate) {
  return backend_waits(candidate.backend) && candidate.backend != "fake";
}

// For a node that misses its rate, or has candidates that fail: one that works and, as fast as it once was,
// would be worth the change, seldom. Without it a backend that was slow for a while would be left for ever:
// also one that is only a little better, as long as the node misses its rate on the other.
int promising(const SelectorState& state, TimeNs now, double min_gain) {
  int best = -1;
  for (std::size_t c = 0; c < state.count && state.current >= 0; ++c) {
    const CandidateState& s = state.candidates[c];
    const CandidateState& current = state.candidates[static_cast<std::size_t>(state.current)];
    const double worth_ms = current.now_ms / (1 + min_gain);
    const bool faster = s.base_ms > 0 && s.base_ms < current.now_ms && s.base_ms <= worth_ms;
    if (static_cast<int>(c) == state.current || !s.breaker.usable() || !faster) continue;
    if (now - s.measured_at < kSeldom) continue;
    if (best < 0 || s.base_ms < state.candidates[static_cast<std::size_t>(best)].base_ms)
      best = static_cast<int>(c);
  }
  return best;
}

bool on_one_session(const SelectorCandidate& a, const SelectorCandidate& b) {
  return a.backend == b.backend && a.variant == b.variant;
}

std::string held_words(const SelectedNode& node, int holds) {
  return "its session is shared; of the modes that are asked for the fastest holds, " +
         node.candidates[static_cast<std::size_t>(holds)].performance_mode + "; for itself: ";
}

}  // namespace

Selection::Selection(std::vector<SelectedNode> nodes) {
  for (SelectedNode& node : nodes) {
    Node& added = nodes_.emplace_back();
    added.state = start_state(node.candidates);
    for (std::size_t c = 0; c < added.state.count; ++c)  // nothing to measure there, ever
      if (!node.candidates[c].unusable.empty()) added.state.candidates[c].measured_at = kNever;
    added.meter = std::make_unique<RunMeter>();
    added.what = std::move(node);
  }
  period_.runs.resize(nodes_.size());
  users_.reserve(nodes_.size());
}

void Selection::take_in(Node& node, const RunMeter::Period& period, TimeNs now,
                        const Readings& readings) const {
  Observation seen;
  seen.readings = readings;
  seen.readings.at = now;
  seen.dt_s = last_ == kLongAgo ? 0 : to_s(now - last_);
  seen.latency_ms = period.latency_ms;
  seen.fps = seen.dt_s > 0 ? static_cast<double>(period.runs) / seen.dt_s : 0;
  observe(node.what.candidates, seen, node.state);
  bool any = false;
  for (std::size_t c = 0; c < node.state.count; ++c) {
    if (period.failures[c] == 0) continue;
    any = true;
    fail(node, c, now);
  }
  // With nothing to go to, what failed goes on; once it works again it is forgiven.
  if (!any && node.state.current >= 0 && period.latency_ms > 0) {
    Breaker& breaker = node.state.candidates[static_cast<std::size_t>(node.state.current)].breaker;
    if (breaker.probe_due(now)) breaker.succeeded(now);
  }
  if (seen.dt_s < kWhole) return;
  node.fps = seen.fps;
  node.latency_ms = seen.latency_ms;
}

// All performance modes of a session fail together.
void Selection::fail(Node& node, std::size_t candidate, TimeNs now) {
  const SelectorCandidate& failed = node.what.candidates[candidate];
  for (std::size_t c = 0; c < node.state.count; ++c) {
    const SelectorCandidate& other = node.what.candidates[c];
    if (!on_one_session(other, failed)) continue;
    if (c == candidate || node.state.candidates[c].breaker.usable()) sluice::note_failure(node.state, c, now);
  }
}

SelectionChange Selection::carry_out(std::size_t n, const Decision& decision, std::string reason,
                                     TimeNs now) {
  Node& node = nodes_[n];
  SelectionChange change{.node = n,
                         .candidate = decision.candidate,
                         .before = node.state.current,
                         .step = decision.step,
                         .at = now,
                         .rate_hz = ladder_keys(node.what.policy.degrade, decision.step).rate_hz,
                         .reason = std::move(reason)};
  commit(node.what.candidates, decision, now, node.state);
  return change;
}

// One that is held in another mode than it wants, and only waits to leave it, still wants the same.
void Selection::note_wanted(Node& node, const Decision& decision) {
  const auto at = [&](int c) -> const SelectorCandidate& {
    return node.what.candidates[static_cast<std::size_t>(c)];
  };
  const bool held =
      node.wanted >= 0 && node.state.current >= 0 && on_one_session(at(node.wanted), at(node.state.current));
  const bool waits = decision.cause == Cause::kDwell || decision.cause == Cause::kSmallGain ||
                     decision.cause == Cause::kNothing;
  if (!held || !waits) node.wanted = decision.candidate;
}

// What the node runs on where it shares the session that it wants; -1: it wants none.
int Selection::that_holds(std::size_t n) {
  const Node& node = nodes_[n];
  const int group = node.what.session_group;
  if (node.wanted < 0 || group < 0) return node.wanted;
  const auto wanted = static_cast<std::size_t>(node.wanted);
  users_.assign(1, {node.what.candidates, wanted});
  for (std::size_t other = 0; other < nodes_.size(); ++other) {
    const Node& o = nodes_[other];
    if (other == n || o.what.session_group != group || o.wanted < 0) continue;
    const auto others = static_cast<std::size_t>(o.wanted);
    if (on_one_session(o.what.candidates[others], node.what.candidates[wanted]))
      users_.push_back({o.what.candidates, others});
  }
  const bool own_path = node.what.candidates[wanted].variant.empty();
  return static_cast<int>(candidate_that_holds(users_, own_path ? node.what.least_mode : std::string_view()));
}

// The runs of all nodes go through an accelerator one after the other: what is left of its time for `n`, by
// what the others took in the last whole period and what each run of theirs takes now; at least its turn.
void Selection::share_units(std::size_t n) {
  std::array<double, kUnitRoles> taken{};
  std::array<int, kUnitRoles> others{};
  for (std::size_t other = 0; other < nodes_.size(); ++other) {
    const Node& o = nodes_[other];
    if (other == n || o.state.current < 0) continue;
    const auto current = static_cast<std::size_t>(o.state.current);
    if (!is_queued(o.what.candidates[current])) continue;
    const auto unit = static_cast<std::size_t>(o.what.candidates[current].unit);
    taken[unit] += std::min(1.0, o.fps * o.state.candidates[current].now_ms * 1e-3);
    ++others[unit];
  }
  Node& node = nodes_[n];
  for (std::size_t c = 0; c < node.state.count; ++c) {
    const auto unit = static_cast<std::size_t>(node.what.candidates[c].unit);
    const double turn = 1 / (kCollisions * (1 + others[unit]));
    const bool shared = is_queued(node.what.candidates[c]) && others[unit] > 0;
    node.state.candidates[c].free_share = shared ? std::max(turn, 1 - kCollisions * taken[unit]) : 1;
  }
}

std::vector<SelectionChange> Selection::on_period(TimeNs now, const Readings& readings) {
  period_.at = now;
  period_.readings = readings;
  period_.readings.at = now;  // the newest there are, which is what counts as the present
  for (std::size_t n = 0; n < nodes_.size(); ++n)
    period_.runs[n] = nodes_[n].meter->take(nodes_[n].state.current);
  std::vector<SelectionChange> changes = decide(period_);
  if (tape_) tape_(period_, changes);
  return changes;
}

std::optional<SelectionChange> Selection::decide_for(std::size_t n, const SelectionEvent& period) {
  Node& node = nodes_[n];
  const Decision own = choose(node.what.candidates, node.state, period.readings, node.what.policy);
  node.blind = own.blind;
  note_wanted(node, own);
  Decision decision = own;
  // The first choices are its own: the others' are not known yet.
  if (node.state.current >= 0 && own.candidate >= 0) decision.candidate = that_holds(n);
  if (decision.candidate != own.candidate)
    decision.changed = decision.candidate != node.state.current || decision.step != node.state.step;
  if (!decision.changed) return std::nullopt;
  std::string reason = words(node.what.candidates, node.state, own, node.what.policy);
  if (decision.candidate != own.candidate) reason = held_words(node.what, decision.candidate) + reason;
  return carry_out(n, decision, std::move(reason), period.at);
}

// What the others have decided may have changed the mode of the session that the node runs on.
std::optional<SelectionChange> Selection::follow_shared(std::size_t n, TimeNs now) {
  Node& node = nodes_[n];
  Decision decision;
  decision.candidate = that_holds(n);
  decision.step = node.state.step;
  if (decision.candidate < 0 || decision.candidate == node.state.current) return std::nullopt;
  const SelectorCandidate& wanted = node.what.candidates[static_cast<std::size_t>(node.wanted)];
  return carry_out(n, decision, held_words(node.what, decision.candidate) + describe(wanted), now);
}

std::vector<SelectionChange> Selection::decide(const SelectionEvent& period) {
  std::vector<SelectionChange> changes;
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    take_in(nodes_[n], period.runs[n], period.at, period.readings);
    share_units(n);
    if (auto change = decide_for(n, period)) changes.push_back(std::move(*change));
  }
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    if (nodes_[n].what.session_group < 0) continue;
    if (auto change = follow_shared(n, period.at)) changes.push_back(std::move(*change));
  }
  last_ = period.at;
  return changes;
}

std::vector<SelectionChange> Selection::replay(const SelectionEvent& event) {
  switch (event.kind) {
    case SelectionEvent::Kind::kPeriod: {
      std::vector<SelectionChange> changes = decide(event);
      if (tape_) tape_(event, changes);
      return changes;
    }
    case SelectionEvent::Kind::kProbe:
      note_probe(event.node, event.candidate, event.at, event.latency_ms);
      break;
    case SelectionEvent::Kind::kFailure:
      note_failure(event.node, event.candidate, event.at);
      break;
  }
  return {};
}

int Selection::probe_wanted(std::size_t n) const {
  const Node& node = nodes_[n];
  const SelectorPolicy& policy = node.what.policy;
  const double stale = std::max(kStaleLeast, kStaleDwells * policy.dwell_s);
  int candidate = sluice::probe_wanted(node.state, last_, from_s(std::min(stale, 1e6)));
  if (candidate < 0) return -1;
  if (!node.state.candidates[static_cast<std::size_t>(candidate)].breaker.usable()) {
    // Tries of what fails take long, and there may be many: the better one does not wait for all of them.
    const int better = policy.kind == PolicyKind::kFixed ? -1 : promising(node.state, last_, policy.min_gain);
    // What was left because it failed may be what the node needs to keep up.
    if (better < 0) return candidate;
    candidate = better;
  }
  if (policy.kind == PolicyKind::kFixed) return -1;
  const double rate = rate_at(policy.degrade, node.state.step, policy.target_fps);
  const bool late = policy.latency_budget_ms && node.latency_ms > *policy.latency_budget_ms;
  const bool misses = late || (rate > 0 && node.fps < kKeepsUp * rate);
  const int wanted = misses ? promising(node.state, last_, policy.min_gain) : candidate;
  if (wanted < 0) return -1;
  const auto watts = device_power(node.what.candidates, node.state, static_cast<std::size_t>(wanted), 1);
  if (policy.power_budget_w && watts && *watts > *policy.power_budget_w) return -1;
  return wanted;
}

void Selection::note_probe(std::size_t n, std::size_t candidate, TimeNs now, double latency_ms) {
  sluice::note_probe(nodes_[n].state, candidate, now, latency_ms);
  if (tape_)
    tape_({.kind = SelectionEvent::Kind::kProbe,
           .at = now,
           .readings = {},
           .runs = {},
           .node = n,
           .candidate = candidate,
           .latency_ms = latency_ms},
          {});
}

void Selection::note_failure(std::size_t n, std::size_t candidate, TimeNs now) {
  fail(nodes_[n], candidate, now);
  if (tape_)
    tape_({.kind = SelectionEvent::Kind::kFailure,
           .at = now,
           .readings = {},
           .runs = {},
           .node = n,
           .candidate = candidate},
          {});
}

}  // namespace sluice
