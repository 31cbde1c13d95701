// Which infer nodes of a plan the selector chooses for, and among what.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "framework/plan/plan.h"
#include "inference/selection/selection.h"

namespace sluice {

// True for infer nodes that may leave where they start: a policy other than `fixed`, a ladder, or a second
// backend to go to when the first fails (under `on_fallback: error` the run is to fail with it).
bool takes_selection(const NodePlan& node);

// Whether the node's model is the one whose variants make the routes of its frames.
bool chooses_route(const Plan& plan, const NodePlan& node);

// Policy and candidates of a node that does, from the plan alone: nothing is checked or measured.
// `source_fps` 0: unknown.
SelectedNode selected_node(const Plan& plan, std::size_t node, double source_fps);

// What is said, once, of a node whose policy needs temperatures where none is known.
std::string blind_words(const SelectorPolicy& policy);

// They are performance modes of one session.
bool same_session(const SelectorCandidate& a, const SelectorCandidate& b);
// False for a further performance mode of the session of an earlier candidate.
bool begins_session(std::span<const SelectorCandidate> candidates, std::size_t candidate);

}  // namespace sluice
