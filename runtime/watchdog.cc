#include "runtime/watchdog.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "framework/core/guarded.h"
#include "framework/core/log.h"
#include "runtime/render_plan.h"

namespace sluice {
namespace {

constexpr std::size_t kMostLines = 10;

const NodePlan& node_of_unit(const Plan& plan, std::uint32_t unit) {
  return plan.nodes[static_cast<std::size_t>(plan.units[unit].nodes.front())];
}

std::string frame_of(const Plan& plan, const FrameInfo& frame) {
  const int source = plan.sources[frame.source].node;
  return fmt::format("frame {} of '{}'", frame.number, plan.nodes[static_cast<std::size_t>(source)].id);
}

// The producer's node whose outputs leave its unit.
const std::string& producer_name(const Plan& plan, const Waiting& w) {
  return plan.nodes[static_cast<std::size_t>(plan.units[w.producer].nodes.back())].id;
}

// The ports by which the unit hears of that producer: "port 'image'".
std::string ports(const Plan& plan, const Waiting& w) {
  std::string out;
  for (const PlanEdge& edge : plan.edges) {
    const bool between =
        plan.nodes[static_cast<std::size_t>(edge.from_node)].unit == static_cast<int>(w.producer) &&
        plan.nodes[static_cast<std::size_t>(edge.to_node)].unit == static_cast<int>(w.unit);
    if (between && !edge.latest)
      out += (out.empty() ? "port '" : ", '") + plan_words::input_name(plan, edge) + "'";
  }
  return out;
}

std::string sentence(const Plan& plan, const Waiting& w) {
  const std::string& node = node_of_unit(plan, w.unit).id;
  const std::string frame = frame_of(plan, w.frame);
  switch (w.what) {
    case Waiting::For::kInput:
      return fmt::format("node '{}' waits at {} for {} from '{}'", node, ports(plan, w), frame,
                         producer_name(plan, w));
    case Waiting::For::kMessage:
      return fmt::format("the message of '{}' to {} of node '{}' for {} is lost", producer_name(plan, w),
                         ports(plan, w), node, frame);
    case Waiting::For::kTurn:
      return fmt::format("{} waits for its turn at node '{}'", frame, node);
    case Waiting::For::kRun:
      return fmt::format("node '{}' is still working on {}", node, frame);
    case Waiting::For::kPool:
      return fmt::format("node '{}' waits for a free buffer for {}", node, frame);
  }
  return node;
}

// Who waits for buffers when no frame has them any more: those of a packet that is kept outside.
std::string starved_sentence(const Plan& plan, int source, bool none_inside) {
  const int node = plan.sources[static_cast<std::size_t>(source)].node;
  return fmt::format("source '{}' waits for a free buffer{}", plan.nodes[static_cast<std::size_t>(node)].id,
                     none_inside ? ", and no frame is inside: the application keeps its packets" : "");
}

bool is_cause(const Waiting& w) { return w.what != Waiting::For::kInput && w.what != Waiting::For::kTurn; }

}  // namespace

Watchdog::Watchdog(const Plan& plan, Executor& executor, Clock& clock, GiveUp give_up, WatchdogLimits limits)
    : plan_(plan), executor_(executor), clock_(clock), give_up_(std::move(give_up)), limits_(limits) {
  since_ = clock_.now();
  schedule();
}

Watchdog::~Watchdog() {
  over_ = true;
  clock_.cancel(timer_);  // waits for a look that is under way, which then sees `over_`
  clock_.cancel(timer_);  // and for the one it may have ordered just before
}

void Watchdog::schedule() {
  timer_ = clock_.at(clock_.now() + limits_.period, TimerKey{-2, 0}, [this] {
    if (over_) return;
    // Without memory for a look there may be some for the next.
    [[maybe_unused]] const Status looked = guarded([this]() -> Status {
      look();
      return {};
    });
    if (!over_) schedule();
  });
}

void Watchdog::look() {
  const std::uint64_t progress = executor_.progress();
  const bool stopping = executor_.stopping(), ended = executor_.all_sources_ended();
  // What the run does at its end has `patience` from then on.
  const bool just_stopped = stopping && !std::exchange(saw_stop_, stopping);
  const bool just_ended = ended && !std::exchange(saw_ends_, ended);
  const bool nothing_to_do =
      executor_.alive() == 0 && (ended || !stopping) && executor_.sources_without_buffer().empty();
  if (progress != progress_ || just_stopped || just_ended || nothing_to_do) {
    progress_ = progress;
    since_ = clock_.now();
    told_ = false;
    return name_those_that_lag();
  }
  since_ = std::min(since_, clock_.now());  // a clock that went back
  const TimeNs still = clock_.now() - since_;
  if (still >= limits_.patience) act(still);
}

// A node may hang while others go on. Each of its frames is named once.
void Watchdog::name_those_that_lag() {
  std::vector<Waiting> fresh;
  std::vector<Lagging> all;
  const FlowCounters counters = executor_.counters();
  for (const Waiting& w : executor_.waiting()) {
    const bool lags = w.what == Waiting::For::kRun && clock_.now() - w.since >= limits_.patience;
    if (!lags || may_be_slow(w, counters)) continue;
    all.push_back({w.unit, w.frame.source, w.frame.number});
    if (std::find(named_.begin(), named_.end(), all.back()) == named_.end()) fresh.push_back(w);
  }
  named_ = std::move(all);
  if (fresh.empty()) return;
  log_message(LogLevel::kWarning, fmt::format("for {:.0f} s and more, while others go on:\n{}",
                                              to_s(limits_.patience), describe(plan_, fresh)));
}

void Watchdog::act(TimeNs still) {
  const std::vector<Waiting> waiting = executor_.waiting();
  const std::vector<int> starved = executor_.sources_without_buffer();
  if (!told_) {
    told_ = true;
    ++stalls_;
    log_message(LogLevel::kWarning, fmt::format("nothing has moved for {:.0f} s:\n{}", to_s(still),
                                                describe(plan_, waiting, starved)));
  }
  const bool to_end = executor_.stopping() || executor_.all_sources_ended();
  if (!to_end && still < limits_.standstill) return;
  if (any_may_be_slow(waiting) || (!executor_.stopping() && waits_outside(waiting, starved))) return;
  over_ = true;
  give_up_(timed_out(fmt::format("{}; nothing has moved for {:.0f} s, so the run was abandoned",
                                 names_of_hung(waiting), to_s(still))));
}

bool Watchdog::may_be_slow(const Waiting& w, const FlowCounters& counters) const {
  if (w.what != Waiting::For::kRun) return false;
  double longest_ms = 0;
  for (int node : plan_.units[w.unit].nodes) {
    const Histogram& busy = counters.nodes[static_cast<std::size_t>(node)].busy;
    if (busy.count() > 0) longest_ms += busy.max_ms();
  }
  return to_ms(clock_.now() - w.since) < limits_.slowness * longest_ms;
}

bool Watchdog::any_may_be_slow(const std::vector<Waiting>& waiting) const {
  const FlowCounters counters = executor_.counters();
  return std::any_of(waiting.begin(), waiting.end(),
                     [&](const Waiting& w) { return may_be_slow(w, counters); });
}

// Only nodes with threads of their own are at work: a sink whose reader takes its time, say. Or none is, and
// a source waits for buffers.
bool Watchdog::waits_outside(const std::vector<Waiting>& waiting, const std::vector<int>& starved) const {
  bool any = waiting.empty() && !starved.empty();
  for (const Waiting& w : waiting) {
    if (!is_cause(w)) continue;
    any = true;
    if (w.what != Waiting::For::kRun || node_of_unit(plan_, w.unit).thread != ThreadKind::kOwn) return false;
  }
  return any;
}

std::string Watchdog::names_of_hung(const std::vector<Waiting>& waiting) const {
  std::string out;
  for (const Waiting& w : waiting) {
    if (is_cause(w)) out += (out.empty() ? "" : "; ") + sentence(plan_, w);
  }
  const std::vector<SourceEnd> ends = executor_.source_ends();
  for (std::size_t s = 0; s < ends.size(); ++s) {
    if (ends[s].ended || !executor_.stopping()) continue;
    out += fmt::format("{}source '{}' does not stop", out.empty() ? "" : "; ",
                       plan_.nodes[static_cast<std::size_t>(plan_.sources[s].node)].id);
  }
  return out.empty() ? "frames are inside that nobody works on" : out;
}

std::string Watchdog::describe(const Plan& plan, const std::vector<Waiting>& waiting,
                               const std::vector<int>& starved) {
  std::string out;
  for (const int source : starved) out += "  " + starved_sentence(plan, source, waiting.empty()) + "\n";
  for (std::size_t i = 0; i < waiting.size() && i < kMostLines; ++i)
    out += "  " + sentence(plan, waiting[i]) + "\n";
  if (waiting.size() > kMostLines) out += fmt::format("  and {} more\n", waiting.size() - kMostLines);
  return out;
}

}  // namespace sluice
