#include "runtime/selection_replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "framework/core/suggest.h"

namespace sluice {
namespace {

bool same_place(const SelectorCandidate& a, const SelectorCandidate& b) {
  return a.backend == b.backend && a.variant == b.variant && a.performance_mode == b.performance_mode;
}

std::string words_of(const std::vector<SelectorCandidate>& candidates) {
  std::vector<std::string> names;
  names.reserve(candidates.size());
  for (const SelectorCandidate& c : candidates) names.push_back(describe(c));
  return comma_list(std::span<const std::string>(names));
}

}  // namespace

Status SelectionReplay::adopt(std::vector<SelectedNode>& nodes) const {
  const auto refuse = [&](const std::string& why) {
    return invalid(fmt::format("{}: was recorded of another pipeline: {}", recorded_.path, why));
  };
  if (nodes.size() != recorded_.nodes.size())
    return refuse(fmt::format("{} nodes chose, here {} do", recorded_.nodes.size(), nodes.size()));
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    const RecordedSelection::Node& recorded = recorded_.nodes[n];
    SelectedNode& node = nodes[n];
    if (recorded.id != node.id) return refuse(fmt::format("node '{}' is '{}' here", recorded.id, node.id));
    if (recorded.policy != policy_text(node.policy))
      return refuse(fmt::format("node '{}' had {}, here it has {}", node.id, recorded.policy,
                                policy_text(node.policy)));
    if (!std::ranges::equal(recorded.candidates, node.candidates, same_place))
      return refuse(fmt::format("node '{}' chose among {}; here among {}", node.id,
                                words_of(recorded.candidates), words_of(node.candidates)));
    node.candidates = recorded.candidates;
    node.session_group = recorded.session_group;
    node.least_mode = recorded.least_mode;
  }
  return {};
}

std::vector<SelectionChange> SelectionReplay::step(Selection& selection) {
  const RecordedSelection::Step& step = recorded_.steps[next_++];
  std::vector<SelectionChange> changes = selection.replay(step.event);
  if (!differs_ && decisions_text(changes) != step.decisions) {
    differs_ = true;
    notices_.push_back(
        fmt::format("{}: this version decides otherwise than was recorded, for the first time after {:g} s: "
                    "{}, recorded: {}",
                    recorded_.path, std::max(0.0, to_s(since_start(step.event.at))), decisions_text(changes),
                    step.decisions));
  }
  return changes;
}

std::vector<std::string> SelectionReplay::take_notices() {
  if (over() && !std::exchange(told_, true)) {
    const double end = recorded_.steps.empty() ? 0 : to_s(since_start(recorded_.steps.back().event.at));
    std::string text = fmt::format("{}: the recording {} after {:g} s; what runs stays", recorded_.path,
                                   recorded_.cut ? "was cut" : "has ended", std::max(0.0, end));
    if (recorded_.lost > 0) text += fmt::format("; it could not take {} lines", recorded_.lost);
    notices_.push_back(std::move(text));
  }
  return std::exchange(notices_, {});
}

}  // namespace sluice
