#include "runtime/watchdog.h"

#include <fmt/format.h>

#include "framework/core/log.h"
#include "runtime/render_plan.h"

namespace sluice {
namespace {

constexpr std::size_t kMostLines = 10;

std::string name_of_unit(const Plan& plan, std::uint32_t unit) {
  return plan.nodes[static_cast<std::size_t>(plan.units[unit].nodes.front())].id;
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
  const std::string node = name_of_unit(plan, w.unit);
  const NodePlan& source = plan.nodes[static_cast<std::size_t>(plan.sources[w.frame.source].node)];
  const std::string frame = fmt::format("frame {} of '{}'", w.frame.number, source.id);
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

}  // namespace

Watchdog::Watchdog(const Plan& plan, const Executor& executor, Clock& clock, TimeNs period, TimeNs patience)
    : plan_(plan), executor_(executor), clock_(clock), period_(period), patience_(patience) {
  since_ = clock_.now();
  schedule();
}

Watchdog::~Watchdog() {
  over_ = true;
  clock_.cancel(timer_);  // waits for a look that is under way, which then sees `over_`
  clock_.cancel(timer_);  // and for the one it may have ordered just before
}

void Watchdog::schedule() {
  timer_ = clock_.at(clock_.now() + period_, TimerKey{-2, 0}, [this] {
    if (over_) return;
    look();
    if (!over_) schedule();
  });
}

void Watchdog::look() {
  const std::uint64_t progress = executor_.progress();
  if (progress != progress_ || executor_.alive() == 0) {
    progress_ = progress;
    since_ = clock_.now();
    told_ = false;
    return;
  }
  if (told_ || clock_.now() - since_ < patience_) return;
  told_ = true;
  ++stalls_;
  log_message(LogLevel::kWarning, fmt::format("nothing has moved for {:.0f} s:\n{}", to_s(patience_),
                                              describe(plan_, executor_.waiting())));
}

std::string Watchdog::describe(const Plan& plan, const std::vector<Waiting>& waiting) {
  std::string out;
  for (std::size_t i = 0; i < waiting.size() && i < kMostLines; ++i)
    out += "  " + sentence(plan, waiting[i]) + "\n";
  if (waiting.size() > kMostLines) out += fmt::format("  and {} more\n", waiting.size() - kMostLines);
  return out;
}

}  // namespace sluice
