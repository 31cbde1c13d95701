#include "runtime/live_selection.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "framework/core/log.h"
#include "inference/model_file.h"
#include "inference/selection/measure.h"
#include "runtime/process_stats.h"
#include "runtime/selected_nodes.h"

namespace sluice {
namespace {

constexpr TimeNs kLeastTimeout = from_ms(500);  // of one run in the warm-up
constexpr TimeNs kProbeTimeout = from_s(2);     // of one run whose latency is not known
constexpr double kProbeSlack = 20;              // so many times as long as it took before
constexpr int kProbeRuns = 2;
constexpr int kNice = 10;
// [assumed] what a session takes of memory: its weights as many times, and so much more.
constexpr std::uint64_t kModelCopies = 3, kSessionBytes = 32u << 20;

// Of the machine, for new allocations; none: not known.
std::optional<std::uint64_t> free_bytes() {
  std::FILE* file = std::fopen("/proc/meminfo", "re");
  if (!file) return std::nullopt;
  std::optional<std::uint64_t> out;
  char line[256];
  unsigned long kib = 0;
  while (!out && std::fgets(line, sizeof line, file))
    if (std::sscanf(line, "MemAvailable: %lu", &kib) == 1) out = std::uint64_t{kib} * 1024;
  std::fclose(file);
  return out;
}

// A session that the machine has no room for is not tried: it could end the process.
Status room_for(const ModelRequest& model) {
  SLUICE_ASSIGN(const FileStamp stamp, ModelFile::stamp_of(model.path));
  const std::uint64_t wanted = static_cast<std::uint64_t>(stamp.size) * kModelCopies + kSessionBytes;
  const std::optional<std::uint64_t> free = free_bytes();
  if (!free || wanted < *free / 2) return {};
  return unavailable(
      fmt::format("its session may take {} MB and {} MB of memory are free", wanted >> 20, *free >> 20));
}

bool same_session(const SelectorCandidate& a, const SelectorCandidate& b) {
  return a.backend == b.backend && a.variant == b.variant;
}

LoadedModelPtr tagged(const LoadedModel& model, std::size_t candidate) {
  LoadedModel copy = model;
  copy.candidate = static_cast<int>(candidate);
  return std::make_shared<const LoadedModel>(std::move(copy));
}

void set_mode(const LoadedModel& model, const SelectorCandidate& candidate) {
  if (candidate.performance_mode.empty()) return;
  const Status status = model.opened.session->set_performance_mode(candidate.performance_mode);
  if (!status.ok()) log_message(LogLevel::kDebug, describe(candidate) + ": " + status.message());
}

}  // namespace

std::unique_ptr<LiveSelection> LiveSelection::create(
    LiveSelectionSetup setup, const std::function<std::unique_ptr<Telemetry>()>& make_telemetry) {
  if (std::ranges::none_of(setup.plan->nodes, takes_selection)) return nullptr;
  return std::unique_ptr<LiveSelection>(new LiveSelection(std::move(setup), make_telemetry()));
}

LiveSelection::LiveSelection(LiveSelectionSetup setup, std::unique_ptr<Telemetry> telemetry)
    : setup_(std::move(setup)), telemetry_(std::move(telemetry)) {
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
  node.choice = plan.choice;
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

// --- before the first frame
// ----------------------------------------------------------------------------------------------------------

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

void LiveSelection::warm_up(const std::function<bool()>& stopped) {
  const std::vector<Unproven> failed = measure_all(stopped);
  std::vector<SelectedNode> nodes;
  for (LiveNode& node : nodes_) nodes.push_back(std::move(node.what));
  selection_ = std::make_unique<Selection>(std::move(nodes));
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    nodes_[n].user->tell(&selection_->meter(n), [this] { wake(); });
  }
  first_choices(failed);
}

std::vector<LiveSelection::Unproven> LiveSelection::measure_all(const std::function<bool()>& stopped) {
  std::vector<Unproven> left, failed;
  for (std::size_t n = 0; n < nodes_.size(); ++n)
    for (std::size_t c = 0; c < nodes_[n].loaded.size() && !nodes_[n].lazy; ++c)
      if (nodes_[n].loaded[c]) left.push_back({n, c});
  const TimeNs end = setup_.clock->now() + kWarmUp;
  for (std::size_t i = 0; i < left.size() && !stopped(); ++i) {
    const TimeNs now = setup_.clock->now();
    if (now >= end) break;
    const LiveNode& node = nodes_[left[i].node];
    SelectorCandidate& candidate = nodes_[left[i].node].what.candidates[left[i].candidate];
    const LoadedModel& loaded = *node.loaded[left[i].candidate];
    set_mode(loaded, candidate);
    const TimeNs share = (end - now) / static_cast<TimeNs>(left.size() - i);
    MeasureRequest request{.until = now + share, .stopped = stopped};
    request.timeout = std::min(std::max(share, kLeastTimeout), end - now);
    const auto measured = measure(loaded.opened.session, *setup_.clock, request);
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

void LiveSelection::first_choices(const std::vector<Unproven>& failed) {
  const TimeNs now = setup_.clock->now();
  for (const Unproven& u : failed) selection_->note_failure(u.node, u.candidate, now);
  decide(now);
  say_blind();
}

void LiveSelection::say_blind() {
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    if (!selection_->blind(n)) continue;
    const SelectorPolicy& policy = selection_->node(n).policy;
    nodes_[n].user->warn(
        fmt::format("{} needs temperatures and no sensor gives one; latency drift alone is used",
                    policy.kind == PolicyKind::kSustained ? "policy 'sustained'" : "max_temperature_c"));
  }
}

// --- while frames run
// ----------------------------------------------------------------------------------------------------------

// Under a manual clock a thread would make runs differ from one another: there, nothing changes.
void LiveSelection::start() {
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

// Waits on a condition of its own, not on the clock's: that one wakes all its sleepers at every run.
void LiveSelection::work() {
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
  TimeNs next = setup_.clock->now() + setup_.period;
  std::unique_lock lock(wake_mutex_);
  while (!stopping_) {
    if (timer_ == 0) {
      timer_ = setup_.clock->at(next, {}, [this] {
        std::lock_guard at_due(wake_mutex_);
        due_ = true;
        timer_ = 0;
        wake_.notify_one();
      });
    }
    wake_.wait(lock, [this] { return due_ || failed_ || stopping_; });
    if (stopping_) break;
    const bool whole = std::exchange(due_, false);
    failed_ = false;
    lock.unlock();
    {
      std::lock_guard selecting(mutex_);
      decide(setup_.clock->now());
      if (whole) probe_one(setup_.clock->now());
    }
    // A suspended machine, or a long probe, skips periods instead of catching up.
    if (whole) next = std::max(next + setup_.period, setup_.clock->now());
    lock.lock();
  }
}

Readings LiveSelection::read(TimeNs now) {
  Readings out;
  out.at = now;
  if (!telemetry_) return out;
  out = telemetry_->sample(now);
  for (const std::string& notice : telemetry_->take_notices()) log_message(LogLevel::kWarning, notice);
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
  if (change.candidate != change.before && !change_over(change.node, c, now)) return false;
  node.user->limit_rate(change.rate_hz);
  // Policy fixed begins where the node was opened, which it has noted.
  const bool fixed = selection_->node(change.node).policy.kind == PolicyKind::kFixed;
  if (change.before < 0 && fixed && node.routes[c] == 0) return true;
  node.user->note(node.routes[c], selection_->decisions(change.node).back());
  const bool broken =
      change.before >= 0 &&
      !selection_->state(change.node).candidates[static_cast<std::size_t>(change.before)].breaker.usable();
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
      selection_->note_failure(n, c, now);
      return false;
    }
    adopt(node, c, *opened);
  }
  set_mode(*node.loaded[c], candidate_of(n, c));
  node.user->use(node.routes[c], tagged(*node.loaded[c], c));
  if (node.choice >= 0) setup_.route(node.choice, node.routes[c]);
  return true;
}

// --- probes
// ----------------------------------------------------------------------------------------------------------

void LiveSelection::probe_one(TimeNs now) {
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    const int wanted = nodes_[n].held ? -1 : selection_->probe_wanted(n);
    if (wanted < 0) continue;
    probe(n, static_cast<std::size_t>(wanted), now);
    return;
  }
}

void LiveSelection::probe(std::size_t n, std::size_t c, TimeNs now) {
  LiveNode& node = nodes_[n];
  const CandidateState& known = selection_->state(n).candidates[c];
  const int current = selection_->current(n);
  // Another mode of the session that frames run on cannot be measured without them: what is known stays.
  const bool in_use =
      current >= 0 && same_session(candidate_of(n, static_cast<std::size_t>(current)), candidate_of(n, c));
  if (in_use && known.breaker.usable() && known.now_ms > 0)
    return selection_->note_probe(n, c, now, known.now_ms);
  if (!node.loaded[c]) {
    auto opened = open_candidate(node, candidate_of(n, c), node.routes[c]);
    if (!opened.ok()) return selection_->note_failure(n, c, now);
    adopt(node, c, *opened);
  }
  set_mode(*node.loaded[c], candidate_of(n, c));
  MeasureRequest request{.runs = kProbeRuns};
  request.timeout =
      known.base_ms > 0 ? std::max(kLeastTimeout, from_ms(known.base_ms * kProbeSlack)) : kProbeTimeout;
  request.stopped = [this] {
    std::lock_guard lock(wake_mutex_);
    return stopping_;
  };
  const auto measured = measure(node.loaded[c]->opened.session, *setup_.clock, request);
  if (measured.ok()) return selection_->note_probe(n, c, setup_.clock->now(), measured->median_ms);
  if (measured.status().code() == Code::kCancelled) return;
  selection_->note_failure(n, c, setup_.clock->now());
  // The next probe is of a new session.
  for (std::size_t other = 0; other < node.loaded.size(); ++other)
    if (same_session(candidate_of(n, other), candidate_of(n, c))) node.loaded[other].reset();
}

// --- what others change
// ----------------------------------------------------------------------------------------------------------

void LiveSelection::hold(std::string_view model) {
  std::lock_guard lock(mutex_);
  for (LiveNode& node : nodes_)
    if (setup_.plan->nodes[node.plan_node].options->text("model") == model) node.held = true;
}

std::optional<std::string> LiveSelection::backend_of(std::size_t plan_node) {
  std::lock_guard lock(mutex_);
  const auto node = std::ranges::find(nodes_, plan_node, &LiveNode::plan_node);
  if (node == nodes_.end()) return std::nullopt;
  return node->user->in_use(0)->opened.choice.backend;
}

void LiveSelection::replace(std::size_t plan_node, const LoadedModelPtr& model) {
  std::lock_guard lock(mutex_);
  const auto node = std::ranges::find(nodes_, plan_node, &LiveNode::plan_node);
  const LoadedModelPtr before = node->user->in_use(0);
  const auto& all = selection_ ? selection_->node(static_cast<std::size_t>(node - nodes_.begin())).candidates
                               : node->what.candidates;
  for (std::size_t c = 0; c < all.size(); ++c) {
    if (!all[c].variant.empty()) continue;
    node->loaded[c] = all[c].backend == before->opened.choice.backend ? model : nullptr;
  }
  LoadedModel copy = *model;
  copy.candidate = before->candidate;
  node->user->use(0, std::make_shared<const LoadedModel>(std::move(copy)));
}

}  // namespace sluice
