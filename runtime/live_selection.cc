#include "runtime/live_selection.h"

#include <algorithm>

#include <fmt/format.h>

#include "framework/core/log.h"
#include "inference/selection/measure.h"
#include "runtime/selected_nodes.h"
#include "runtime/session_memory.h"

namespace sluice {
namespace {

constexpr TimeNs kWarmUpEach = from_ms(100);    // of one candidate in the warm-up, at least
constexpr TimeNs kLeastTimeout = from_ms(500);  // of one run in the warm-up
constexpr TimeNs kProbeTimeout = from_s(2);     // of one run that is compared with another's

LoadedModelPtr tagged(const LoadedModel& model, std::size_t candidate) {
  LoadedModel copy = model;
  copy.candidate = static_cast<int>(candidate);
  return std::make_shared<const LoadedModel>(std::move(copy));
}

}  // namespace

std::unique_ptr<LiveSelection> LiveSelection::create(
    LiveSelectionSetup setup, const std::function<std::unique_ptr<Telemetry>()>& make_telemetry) {
  if (std::ranges::none_of(setup.plan->nodes, takes_selection)) return nullptr;
  return std::unique_ptr<LiveSelection>(new LiveSelection(std::move(setup), make_telemetry()));
}

LiveSelection::LiveSelection(LiveSelectionSetup setup, std::unique_ptr<Telemetry> telemetry)
    : setup_(std::move(setup)), telemetry_(std::move(telemetry)), measures_(*setup_.services) {
  if (setup_.replay) replay_ = std::make_unique<SelectionReplay>(setup_.replay);
  for (std::size_t n = 0; n < setup_.plan->nodes.size(); ++n)
    if (takes_selection(setup_.plan->nodes[n])) add_node(n);
}

LiveSelection::~LiveSelection() { stop(); }

void LiveSelection::add_node(std::size_t plan_node) {
  const NodePlan& plan = setup_.plan->nodes[plan_node];
  LiveNode node;
  node.user = dynamic_cast<ModelUser*>(setup_.nodes[plan_node]);
  if (!node.user) return;
  const auto source = static_cast<std::size_t>(plan.source);
  const double rate = source < setup_.source_rates.size() ? setup_.source_rates[source] : 0;
  node.plan_node = plan_node;
  node.choice = chooses_route(*setup_.plan, plan) ? plan.choice : -1;
  node.what = selected_node(*setup_.plan, plan_node, rate);
  node.lazy = node.what.policy.kind == PolicyKind::kFixed && node.what.policy.degrade.empty();
  if (node.what.candidates.size() > kMostCandidates) {
    node.user->warn(fmt::format("{} combinations of backend, variant and mode; the first {} are considered",
                                node.what.candidates.size(), kMostCandidates));
    node.what.candidates.resize(kMostCandidates);
  }
  for (const SelectorCandidate& c : node.what.candidates) {
    const auto route = std::ranges::find(plan.routes, c.variant, &NodeRoute::variant);
    node.routes.push_back(static_cast<std::size_t>(route - plan.routes.begin()));
  }
  node.loaded.resize(node.what.candidates.size());
  nodes_.push_back(std::move(node));
}

// --- before the first frame --------------------------------------------------------------------------------

Status LiveSelection::open() {
  for (LiveNode& node : nodes_) {
    const Status status = open_node(node);
    if (!status.ok()) return status.with_context(fmt::format("node '{}': ", node.what.id));
  }
  return {};
}

// Nodes that exchange tensors take the same route for a frame, which one of them cannot choose alone.
void LiveSelection::refuse_shared_routes(LiveNode& node) const {
  if (node.choice < 0) return;
  const std::vector<int>& all = setup_.plan->choices[static_cast<std::size_t>(node.choice)].infer_nodes;
  if (all.size() < 2) return;
  node.user->warn(
      "its variants stay unused: the nodes that exchange tensors with it run the same model, and all of "
      "them would have to change at once");
  for (SelectorCandidate& c : node.what.candidates)
    if (!c.variant.empty()) c.unusable = "its route is shared";
}

// In every performance mode.
void LiveSelection::refuse(LiveNode& node, std::size_t candidate, const std::string& why) {
  const SelectorCandidate refused = node.what.candidates[candidate];
  for (SelectorCandidate& c : node.what.candidates)
    if (same_session(c, refused)) c.unusable = why;
}

Status LiveSelection::open_node(LiveNode& node) {
  refuse_shared_routes(node);
  const bool strict = setup_.plan->nodes[node.plan_node].options->text("on_fallback") == "error";
  const LoadedModelPtr first = node.user->in_use(0);  // the first usable backend, with the model's own path
  bool before_first = true;
  for (std::size_t c = 0; c < node.what.candidates.size(); ++c) {
    SelectorCandidate& candidate = node.what.candidates[c];
    if (!candidate.unusable.empty() || node.loaded[c]) continue;
    const bool is_first = candidate.variant.empty() && candidate.backend == first->opened.choice.backend;
    before_first = before_first && !is_first;
    if (is_first) {
      adopt(node, c, first);
    } else if (!node.lazy) {
      auto opened = open_candidate(node, candidate, node.routes[c]);
      if (opened.ok())
        adopt(node, c, *opened);
      else if (strict || opened.status().code() != Code::kUnavailable)
        return opened.status();
      else
        refuse(node, c, opened.status().message());
    } else if (before_first) {
      candidate.unusable = "could not be opened at the start";
    }
  }
  return {};
}

Result<LoadedModelPtr> LiveSelection::open_candidate(const LiveNode& node, const SelectorCandidate& candidate,
                                                     std::size_t route) const {
  const std::string& name = setup_.plan->nodes[node.plan_node].options->text("model");
  SLUICE_ASSIGN(const ModelRequest model, setup_.services->model(name, candidate.variant));
  if (Status room = room_for(model); !room.ok()) {
    node.user->warn(describe(candidate) + ": " + room.message() + "; skipped");
    return room;
  }
  return node.user->load_on(route, model, candidate.backend);
}

// The session of one candidate is that of all its performance modes.
void LiveSelection::adopt(LiveNode& node, std::size_t candidate, const LoadedModelPtr& loaded) {
  const std::vector<SelectorCandidate>& all =
      selection_ ? selection_->node(static_cast<std::size_t>(&node - nodes_.data())).candidates
                 : node.what.candidates;
  for (std::size_t c = 0; c < all.size(); ++c)
    if (same_session(all[c], all[candidate])) node.loaded[c] = loaded;
  // A route that nobody has chosen yet has its session ready all the same.
  const std::size_t route = node.routes[candidate];
  if (!node.user->in_use(route)) node.user->use(route, tagged(*loaded, candidate));
}

Status LiveSelection::warm_up(const std::function<bool()>& stopped) {
  const std::vector<Unproven> failed = replay_ ? std::vector<Unproven>{} : measure_all(stopped);
  note_shared_sessions();
  std::vector<SelectedNode> nodes;
  nodes.reserve(nodes_.size());
  for (LiveNode& node : nodes_) nodes.push_back(std::move(node.what));
  if (replay_) SLUICE_RETURN_IF_ERROR(replay_->adopt(nodes));
  if (setup_.record) setup_.record(selection_begin_line("real", std::nullopt, nodes));
  selection_ = std::make_unique<Selection>(std::move(nodes));
  if (setup_.record)
    selection_->record([this](const SelectionEvent& event, std::span<const SelectionChange> changes) {
      setup_.record(selection_line(event, changes));
    });
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    nodes_[n].user->tell(&selection_->meter(n), [this] { wake(); });
  }
  first_choices(failed);
  return {};
}

std::vector<LiveSelection::Unproven> LiveSelection::measure_all(const std::function<bool()>& stopped) {
  std::vector<Unproven> left, failed;
  for (std::size_t n = 0; n < nodes_.size(); ++n)
    for (std::size_t c = 0; c < nodes_[n].loaded.size() && !nodes_[n].lazy; ++c)
      if (nodes_[n].loaded[c]) left.push_back({n, c});
  // One that is slow in every mode leaves no time for those after it: further modes wait for all sessions.
  std::ranges::stable_partition(left, [this](const Unproven& one) {
    return begins_session(nodes_[one.node].what.candidates, one.candidate);
  });
  const TimeNs end = setup_.clock->now() + kWarmUp;
  measure_accuracy(end - kWarmUp / 2, stopped);
  for (std::size_t i = 0; i < left.size() && !stopped(); ++i) {
    const TimeNs now = setup_.clock->now();
    if (end - now < kLeastTimeout) break;  // in less, one that is well may seem to hang
    const LiveNode& node = nodes_[left[i].node];
    SelectorCandidate& candidate = nodes_[left[i].node].what.candidates[left[i].candidate];
    const LoadedModel& loaded = *node.loaded[left[i].candidate];
    set_mode(loaded, candidate);
    const TimeNs share = (end - now) / static_cast<TimeNs>(left.size() - i);
    MeasureRequest request{.at_least = kWarmUpEach, .until = now + share, .stopped = stopped};
    request.timeout = std::max(share, kLeastTimeout);
    const auto measured = measures_.times(loaded.opened.session, candidate.performance_mode, request);
    if (measured.ok()) {
      candidate.latency_ms = {measured->median_ms, Basis::kMeasured};
      candidate.latency_p95_ms = {measured->p95_ms, Basis::kMeasured};
      candidate.switch_ms = std::max(0.0, measured->first_ms - measured->median_ms);
    } else if (measured.status().code() != Code::kCancelled) {
      node.user->warn(describe(candidate) + " failed while it was measured: " + measured.status().message());
      failed.push_back(left[i]);
    }
  }
  return failed;
}

// The model's own path on the cpu, in its own precision.
Result<LoadedModelPtr> LiveSelection::reference_of(const LiveNode& node) const {
  SelectorCandidate own;
  own.backend = "cpu";
  for (std::size_t c = 0; c < node.what.candidates.size(); ++c)
    if (node.loaded[c] && same_session(node.what.candidates[c], own)) return node.loaded[c];
  return open_candidate(node, own, 0);
}

// What min_snr_db judges and the file does not say: variants, and other precisions of the model's own path.
// Where it cannot be measured, variants stay unknown and own paths count as right.
void LiveSelection::measure_accuracy(TimeNs until, const std::function<bool()>& stopped) {
  for (LiveNode& node : nodes_) {
    if (!node.what.policy.min_snr_db || node.lazy) continue;
    LoadedModelPtr reference;
    for (std::size_t c = 0; c < node.what.candidates.size() && !stopped(); ++c) {
      SelectorCandidate& candidate = node.what.candidates[c];
      const bool judged = candidate.variant.empty()
                              ? candidate.backend != "cpu" && candidate.backend != "fake"
                              : !candidate.snr_db;
      if (!judged || !node.loaded[c] || !candidate.same_input_size) continue;
      const auto measured = [&]() -> Result<double> {
        if (setup_.clock->now() >= until) return cancelled("the warm-up's time is over");
        if (!reference) {
          SLUICE_ASSIGN(reference, reference_of(node));
        }
        return measures_.snr_db(node.loaded[c]->opened.session, reference->opened.session, kProbeTimeout);
      }();
      if (measured.ok()) {
        candidate.snr_db = *measured;
      } else {
        node.user->warn(describe(candidate) +
                        ": min_snr_db: its accuracy could not be measured: " + measured.status().message());
      }
    }
  }
}

void LiveSelection::first_choices(const std::vector<Unproven>& failed) {
  const TimeNs now = setup_.clock->now();
  for (const Unproven& u : failed) selection_->note_failure(u.node, u.candidate, now);
  if (replay_)
    follow(now);
  else
    decide(now);
  leave_all_to_bystanders(now);
  say_blind();
}

void LiveSelection::say_blind() {
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    if (selection_->blind(n)) nodes_[n].user->warn(blind_words(selection_->node(n).policy));
  }
}

// --- while frames run --------------------------------------------------------------------------------------

// Under a manual clock a thread would make runs differ from one another: there, nothing changes.
void LiveSelection::start(TimeNs started) {
  started_ = started;
  if (setup_.record) setup_.record(selection_start_line(replay_ ? replay_->start() : started));
  if (setup_.clock->manual()) return;
  thread_ = std::thread([this] { work(); });
}

void LiveSelection::stop() {
  TimerId timer = 0;
  {
    std::lock_guard lock(wake_mutex_);
    stopping_ = true;
    timer = std::exchange(timer_, 0);
  }
  wake_.notify_one();
  if (timer != 0) setup_.clock->cancel(timer);
  if (thread_.joinable()) thread_.join();
}

// By the worker whose run failed: what runs next must not wait for the end of the period.
void LiveSelection::wake() {
  {
    std::lock_guard lock(wake_mutex_);
    failed_ = true;
  }
  wake_.notify_one();
}

// Waits on a condition of its own, not on the clock's: that one wakes all its sleepers at every run. At the
// priority of the workers: a probe of a backend that computes runs in here, and at a lower one it would
// measure how busy the machine is.
void LiveSelection::work() {
  TimeNs next = next_turn(started_);
  std::unique_lock lock(wake_mutex_);
  while (!stopping_ && next != kNever) {
    if (timer_ == 0) {
      timer_ = setup_.clock->at(next, {}, [this] {
        std::lock_guard at_due(wake_mutex_);
        due_ = true;
        timer_ = 0;
        wake_.notify_one();
      });
    }
    wake_.wait(lock, [this] { return due_ || (failed_ && !replay_) || stopping_; });
    if (stopping_) break;
    const bool whole = std::exchange(due_, false);
    failed_ = false;
    lock.unlock();
    take_turn(whole);
    if (whole) next = next_turn(next);
    lock.lock();
  }
}

void LiveSelection::take_turn(bool whole) {
  std::lock_guard selecting(mutex_);
  const TimeNs now = setup_.clock->now();
  if (replay_) return follow(now);
  decide(now);
  if (whole) probe_one(setup_.clock->now());
}

// A suspended machine, or a long probe, skips periods instead of catching up. kNever: there is none.
TimeNs LiveSelection::next_turn(TimeNs last) const {
  if (replay_) return replay_->over() ? kNever : started_ + replay_->next_due();
  return std::max(last + setup_.period, setup_.clock->now());
}

// The recording's steps that are due; before the first frame those of its start.
void LiveSelection::follow(TimeNs now) {
  const bool starting = replay_->before_start();
  while (!replay_->over() && (starting ? replay_->before_start() : started_ + replay_->next_due() <= now)) {
    for (const SelectionChange& change : replay_->step(*selection_)) carry_out(change, now);
  }
  for (const std::string& notice : replay_->take_notices()) log_message(LogLevel::kWarning, notice);
}

Readings LiveSelection::read(TimeNs now) {
  Readings out;
  out.at = now;
  if (!telemetry_) return out;
  out = telemetry_->sample(now);
  telemetry_->take_notices();  // the run's own telemetry sees the same, and says it
  return out;
}

const SelectorCandidate& LiveSelection::candidate_of(std::size_t n, std::size_t c) const {
  return selection_->node(n).candidates[c];
}

// A choice that turns out not to be usable is a failure, after which another is made.
void LiveSelection::decide(TimeNs now) {
  const Readings readings = read(now);
  bool again = true;
  for (std::size_t rounds = 0; again && rounds <= kMostCandidates; ++rounds) {
    again = false;
    for (const SelectionChange& change : selection_->on_period(now, readings))
      again = !carry_out(change, now) || again;
  }
}

bool LiveSelection::carry_out(const SelectionChange& change, TimeNs now) {
  LiveNode& node = nodes_[change.node];
  if (change.candidate < 0 || node.held) return true;
  const auto c = static_cast<std::size_t>(change.candidate);
  const auto before = static_cast<std::size_t>(change.before);
  const LoadedModelPtr left = change.before >= 0 ? node.user->in_use(node.routes[before]) : nullptr;
  if (change.candidate != change.before && !change_over(change.node, c, now)) return false;
  if (left) leave_to_bystanders(left->opened.session, now);
  node.user->limit_rate(change.rate_hz);
  // Policy fixed begins where the node was opened, which it has noted.
  const bool fixed = selection_->node(change.node).policy.kind == PolicyKind::kFixed;
  if (change.before < 0 && fixed && node.routes[c] == 0 && change.step == 0) return true;
  const SelectorCandidate& chosen = candidate_of(change.node, c);
  Choice choice{.at = change.at,
                .backend = chosen.backend,
                .variant = chosen.variant,
                .performance_mode = chosen.performance_mode,
                .step = change.step,
                .reason = change.reason};
  if (replay_) choice.at = std::min(now, started_ + replay_->since_start(choice.at));
  node.user->note(node.routes[c], std::move(choice));
  const bool broken =
      change.before >= 0 && !selection_->state(change.node).candidates[before].breaker.usable();
  log_message(
      broken ? LogLevel::kWarning : LogLevel::kInfo,
      fmt::format("node '{}' runs on {}{}: {}", selection_->node(change.node).id,
                  describe(candidate_of(change.node, c)),
                  change.step > 0 ? fmt::format(", step {} of degrade", change.step) : "", change.reason));
  return true;
}

// The next session is ready and in its place before the first frame is routed to it.
bool LiveSelection::change_over(std::size_t n, std::size_t c, TimeNs now) {
  LiveNode& node = nodes_[n];
  if (!node.loaded[c]) {
    auto opened = open_candidate(node, candidate_of(n, c), node.routes[c]);
    if (!opened.ok()) {
      node.user->warn(describe(candidate_of(n, c)) + " cannot be used: " + opened.status().message());
      if (!replay_) selection_->note_failure(n, c, now);
      return false;
    }
    adopt(node, c, *opened);
  }
  const SessionHandle& session = node.loaded[c]->opened.session;
  set_mode(*node.loaded[c], candidate_of(n, c));
  tell_bystanders(session, candidate_of(n, c).performance_mode, now);
  node.user->use(node.routes[c], tagged(*node.loaded[c], c));
  if (node.choice >= 0) setup_.route(node.choice, node.routes[c]);
  return true;
}

// --- what others change ------------------------------------------------------------------------------------

void LiveSelection::hold(std::string_view model) {
  std::lock_guard lock(mutex_);
  for (LiveNode& node : nodes_)
    if (setup_.plan->nodes[node.plan_node].options->text("model") == model) node.held = true;
}

LiveSelection::LiveNode* LiveSelection::chosen_for(std::size_t plan_node) {
  const auto node = std::ranges::find(nodes_, plan_node, &LiveNode::plan_node);
  return node == nodes_.end() ? nullptr : &*node;
}

std::optional<std::string> LiveSelection::backend_of(std::size_t plan_node) {
  std::lock_guard lock(mutex_);
  const LiveNode* const node = chosen_for(plan_node);
  if (!node) return std::nullopt;
  return node->user->in_use(0)->opened.choice.backend;
}

bool LiveSelection::replace(std::string_view name, const std::string& path,
                            std::span<const Replacement> all) {
  std::lock_guard lock(mutex_);
  for (const auto& [plan_node, model] : all) {
    const LiveNode* const node = chosen_for(plan_node);
    if (node && node->user->in_use(0)->opened.choice.backend != model->opened.choice.backend) return false;
  }
  setup_.services->set_path(name, path);
  for (const auto& [plan_node, model] : all) {
    if (const LiveNode* const node = chosen_for(plan_node))
      put_in(static_cast<std::size_t>(node - nodes_.data()), model);
  }
  return true;
}

// In the place of the model's own path, in the mode that was chosen.
void LiveSelection::put_in(std::size_t n, const LoadedModelPtr& model) {
  LiveNode& node = nodes_[n];
  const LoadedModelPtr before = node.user->in_use(0);
  const auto& all = selection_ ? selection_->node(n).candidates : node.what.candidates;
  for (std::size_t c = 0; c < all.size(); ++c) {
    if (!all[c].variant.empty()) continue;
    node.loaded[c] = all[c].backend == before->opened.choice.backend ? model : nullptr;
  }
  LoadedModel copy = *model;
  copy.candidate = before->candidate;
  if (before->candidate >= 0) {
    const SelectorCandidate& chosen = all[static_cast<std::size_t>(before->candidate)];
    set_mode(*model, chosen);
    copy.opened.choice.performance_mode = chosen.performance_mode;
  }
  node.user->use(0, std::make_shared<const LoadedModel>(std::move(copy)));
}

}  // namespace sluice
