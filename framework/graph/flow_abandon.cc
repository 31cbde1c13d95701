// The end of a run that cannot end: a body that does not come back keeps its frame, and all that wait for it.
#include "framework/graph/flow_core.h"
#include "framework/graph/flow_state.h"

namespace sluice {

void FlowCore::abandon(TimeNs now) {
  abandoned_ = true;
  for (std::size_t s = 0; s < sources_.size(); ++s) {
    for (Slot slot = sources_[s].oldest; slot != kNoSlot; slot = frames_[slot].newer) {
      lose_where_it_stands(slot, now);
      lose_where_it_is_awaited(slot, now);
      frames_[slot].used = false;
    }
    // What is left waits for a credit.
    while (counters_.sources[s].in_flight() > 0)
      count_not_admitted(static_cast<int>(s), kNoFrameNumber, DropReason::kCancelled);
  }
  alive_ = 0;
}

// Bodies that run have hung; frames in queues will not be taken.
void FlowCore::lose_where_it_stands(Slot slot, TimeNs now) {
  for (std::uint32_t u : sources_[frames_[slot].info.source].unit_list) {
    const State state = at(slot, u).state;
    if (state == State::kRunning) lose_at(u, slot, DropReason::kTimeout, now);
    if (state == State::kReady || state == State::kQueued) lose_at(u, slot, DropReason::kCancelled, now);
  }
}

// Units behind a loss hear of it; one whose inputs are all there was about to get the frame.
void FlowCore::lose_where_it_is_awaited(Slot slot, TimeNs now) {
  for (bool again = true; again;) {
    again = false;
    for (std::uint32_t u : sources_[frames_[slot].info.source].unit_list) {
      if (at(slot, u).state != State::kWaiting || !all_have_spoken(u, slot)) continue;
      again = true;
      const Absence absence = absence_of_inputs(u, slot);
      if (absence.any()) {
        settle_absent(u, slot, absence, now);
      } else {
        lose_at(u, slot, DropReason::kCancelled, now);
      }
    }
  }
}

bool FlowCore::all_have_spoken(std::uint32_t unit, Slot slot) {
  const auto& inputs = units_[unit].inputs;
  return std::all_of(inputs.begin(), inputs.end(), [&](const auto& input) {
    const State state = at(slot, input.producer).state;
    return state == State::kData || state == State::kAbsent;
  });
}

void FlowCore::lose_at(std::uint32_t unit, Slot slot, DropReason reason, TimeNs now) {
  settle_absent(unit, slot, count_loss(unit, slot, reason), now);
}

void FlowCore::settle_absent(std::uint32_t unit, Slot slot, const Absence& absence, TimeNs now) {
  UnitFrame& cell = at(slot, unit);
  cell.state = State::kAbsent;
  cell.absence = absence;
  Actions nobody_acts;
  if (graph_.units[unit].sink != SinkKind::kNone) speak_as_sink(unit, slot, &absence, now, nobody_acts);
}

}  // namespace sluice
