#include "runtime/failures.h"

#include <fmt/format.h>

#include "framework/core/log.h"
#include "framework/graph/failures_in_a_row.h"

namespace sluice {

void Failures::add(int node, const Status& status, const FrameInfo& frame) {
  std::string line;
  {
    std::lock_guard lock(mutex_);
    PerNode& state = nodes_[static_cast<std::size_t>(node)];
    const NodePlan& source = plan_.nodes[static_cast<std::size_t>(plan_.sources[frame.source].node)];
    state.last = fmt::format(
        "node '{}': frame {} of '{}': {}", plan_.nodes[static_cast<std::size_t>(node)].id, frame.number,
        source.id, status.message().empty() ? name_of(status.code()) : std::string_view(status.message()));
    if (state.first.empty()) state.first = state.last;
    if (plan_.nodes[static_cast<std::size_t>(node)].stop_on_error) return;  // the run's end says it
    if (clock_.now() - state.told_at < from_s(1)) {
      ++state.untold;
      return;
    }
    state.told_at = clock_.now();
    line = state.untold > 0 ? fmt::format("{} ({} more before it)", state.last, state.untold) : state.last;
    state.untold = 0;
  }
  log_message(LogLevel::kWarning, line);
}

std::string Failures::decisive(int node) const {
  std::lock_guard lock(mutex_);
  const PerNode& state = nodes_[static_cast<std::size_t>(node)];
  const bool at_once = plan_.nodes[static_cast<std::size_t>(node)].stop_on_error;
  // A node that dropped what it failed at, instead of returning an error, told nothing.
  const std::string first = state.first.empty()
                                ? fmt::format("node '{}': dropped a frame as failed and gave no reason",
                                              plan_.nodes[static_cast<std::size_t>(node)].id)
                                : state.first;
  return at_once ? first + "; the run stops (on_error)"
                 : fmt::format("{}; the run stops ({} failures in a row)",
                               state.last.empty() ? first : state.last, kFailuresInARow);
}

}  // namespace sluice
