// The performance modes of sessions that several nodes run on: LiveSelection sets them, and says what holds.
#include <algorithm>
#include <utility>

#include "framework/core/log.h"
#include "runtime/live_selection.h"

namespace sluice {

void LiveSelection::set_mode(const LoadedModel& model, const SelectorCandidate& candidate) {
  if (candidate.performance_mode.empty()) return;
  const Status status = model.opened.session->set_performance_mode(candidate.performance_mode);
  if (!status.ok()) log_message(LogLevel::kDebug, describe(candidate) + ": " + status.message());
}

namespace {

OptionMap htp_options(const Options& options) {
  return options.has("htp") ? options.map("htp") : OptionMap{};
}

}  // namespace

bool LiveSelection::has_modes_on(const LiveNode& node, const SessionHandle& session) {
  for (std::size_t c = 0; c < node.loaded.size(); ++c) {
    const LoadedModelPtr& loaded = node.loaded[c];
    if (loaded && loaded->opened.session == session && !node.what.candidates[c].performance_mode.empty())
      return true;
  }
  return false;
}

// By the sessions that are open; one that is made when another fails will be shared with whoever asked for
// the same.
bool LiveSelection::share_modes(const LiveNode& a, const LiveNode& b) const {
  const bool open = std::ranges::any_of(a.loaded, [&](const LoadedModelPtr& loaded) {
    return loaded && has_modes_on(a, loaded->opened.session) && has_modes_on(b, loaded->opened.session);
  });
  const Options& of_a = *setup_.plan->nodes[a.plan_node].options;
  const Options& of_b = *setup_.plan->nodes[b.plan_node].options;
  return open || ((a.lazy || b.lazy) && of_a.text("model") == of_b.text("model") &&
                  htp_options(of_a) == htp_options(of_b));
}

// Before the nodes are the selection's, which decides for all that share a session together.
void LiveSelection::note_shared_sessions() {
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    int& own = nodes_[n].what.session_group;
    for (std::size_t earlier = 0; earlier < n && own < 0; ++earlier) {
      if (!share_modes(nodes_[n], nodes_[earlier])) continue;
      int& group = nodes_[earlier].what.session_group;
      if (group < 0) group = static_cast<int>(earlier);
      own = group;
    }
  }
  for (std::size_t plan_node = 0; plan_node < setup_.nodes.size(); ++plan_node) note_bystander(plan_node);
}

// A node that the selector does not choose for, on a session of one that it does.
void LiveSelection::note_bystander(std::size_t plan_node) {
  auto* user = dynamic_cast<ModelUser*>(setup_.nodes[plan_node]);
  const LoadedModelPtr model = user && !chosen_for(plan_node) ? user->in_use(0) : nullptr;
  if (!model) return;
  const std::string& mode = model->opened.choice.performance_mode;
  bool any = false;
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    if (!has_modes_on(nodes_[n], model->opened.session)) continue;
    any = true;
    SelectedNode& what = nodes_[n].what;
    what.least_mode = faster_mode(mode, what.least_mode);
    if (what.session_group < 0) what.session_group = static_cast<int>(n);
  }
  if (any) bystanders_.push_back({user, mode, mode});
}

// `session` runs in `mode` from now on.
void LiveSelection::tell_bystanders(const SessionHandle& session, const std::string& mode, TimeNs now) {
  for (Bystander& one : bystanders_) {
    const LoadedModelPtr model = one.user->in_use(0);
    if (!model || model->opened.session != session || one.told == mode) continue;
    one.told = mode;
    Choice choice = model->opened.choice;
    choice.at = now;
    choice.performance_mode = mode;
    choice.reason = "its session is shared; of the modes that are asked for the fastest holds, " + mode;
    one.user->note(0, std::move(choice));
  }
}

// Where no frames run on `session` of a node that chose its mode, those that choose nothing have the one that
// they were opened with.
void LiveSelection::leave_to_bystanders(const SessionHandle& session, TimeNs now) {
  if (bystanders_.empty() || !running_on(session).empty()) return;
  std::string_view wanted;
  for (const Bystander& one : bystanders_) {
    const LoadedModelPtr model = one.user->in_use(0);
    if (model && model->opened.session == session) wanted = faster_mode(one.wanted, wanted);
  }
  if (wanted.empty()) return;
  const std::string mode(wanted);
  if (session->set_performance_mode(mode).ok()) tell_bystanders(session, mode, now);
}

// The warm-up has set modes that nobody chose.
void LiveSelection::leave_all_to_bystanders(TimeNs now) {
  for (const Bystander& one : bystanders_)
    if (const LoadedModelPtr model = one.user->in_use(0)) leave_to_bystanders(model->opened.session, now);
}

}  // namespace sluice
