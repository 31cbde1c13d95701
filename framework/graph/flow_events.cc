// What the flow core tells its observer. Nothing here is called without one.
#include "framework/graph/flow_events.h"

#include "framework/graph/flow_core.h"
#include "framework/graph/flow_state.h"

namespace sluice {

void FlowCore::tell_wait(std::uint32_t unit, Slot slot, TimeNs now) {
  const FrameInfo& frame = frames_[slot].info;
  observer_->on_event({FlowEvent::Kind::kWait, DropReason::kNone, frame.source, 0,
                       graph_.units[unit].nodes[0], frame.number, at(slot, unit).since, now});
}

// One event per node of the unit that ran, and one for the node that lost the frame before it started.
void FlowCore::tell_runs(std::uint32_t unit, Slot slot, const Outcome& outcome) {
  const FrameInfo& frame = frames_[slot].info;
  for (std::size_t i = 0; i < outcome.runs.size(); ++i) {
    const NodeRun& run = outcome.runs[i];
    FlowEvent event{FlowEvent::Kind::kRun,       DropReason::kNone, frame.source, run.thread,
                    graph_.units[unit].nodes[i], frame.number,      run.begin,    run.end};
    if (i + 1 == outcome.runs.size() && outcome.kind != Outcome::Kind::kData) {
      event.reason = outcome.kind == Outcome::Kind::kFiltered ? DropReason::kFiltered : outcome.reason;
    }
    if (run.busy < 0) {
      event.kind = FlowEvent::Kind::kDrop;
      event.end = kNever;
    }
    observer_->on_event(event);
  }
}

void FlowCore::tell_drop(int source, int node, std::uint64_t number, DropReason reason) {
  FlowEvent event;
  event.kind = FlowEvent::Kind::kDrop;
  event.reason = reason;
  event.source = static_cast<std::uint16_t>(source);
  event.node = node;
  event.number = number;
  observer_->on_event(event);
}

void FlowCore::tell_frame(const FrameInfo& frame, DropReason reason, TimeNs now) {
  observer_->on_event(
      {FlowEvent::Kind::kFrame, reason, frame.source, 0, -1, frame.number, frame.captured, now});
}

void FlowCore::tell_credits(int source) {
  const auto s = static_cast<std::size_t>(source);
  FlowEvent event;
  event.kind = FlowEvent::Kind::kCredits;
  event.source = static_cast<std::uint16_t>(source);
  event.number = static_cast<std::uint64_t>(graph_.sources[s].credits - sources_[s].credits_left);
  observer_->on_event(event);
}

}  // namespace sluice
