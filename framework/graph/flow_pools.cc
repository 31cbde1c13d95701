// Units that wait for a pool (lossless). One that runs several frames at once may have been overtaken in: the
// frames that did so wait for the oldest in front of the next unit and keep what they made until then, so the
// oldest must find a packet of its own, however many a reader keeps for itself.
#include "framework/graph/flow_core.h"
#include "framework/graph/flow_state.h"

namespace sluice {

// End of the inbox: none.
std::vector<Slot>::iterator FlowCore::next_to_start(std::uint32_t unit) {
  UnitState& u = units_[unit];
  if (!graph_.lossless) return u.inbox.begin();
  const auto has_place = [&](Slot slot) { return has_room(unit, slot); };
  if (u.pool_blocked) {
    const auto oldest = std::find(u.inbox.begin(), u.inbox.end(), u.oldest);
    return oldest != u.inbox.end() && !u.oldest_blocked && has_place(*oldest) ? oldest : u.inbox.end();
  }
  // The oldest frame always finds room, but in a parallel unit it may stand behind frames that overtook it.
  const auto last = graph_.units[unit].concurrency > 1 ? u.inbox.end() : u.inbox.begin() + 1;
  const auto next = std::find_if(u.inbox.begin(), last, has_place);
  return next == last ? u.inbox.end() : next;
}

void FlowCore::tell_start(std::uint32_t unit, Slot slot) {
  if (!knows_oldest(unit)) return;
  UnitFrame& cell = at(slot, unit);
  cell.started_oldest = slot == units_[unit].oldest;
  storage_.starts(unit, slot, cell.started_oldest);
}

// The unit has spoken for a frame: the oldest may be another one now, which has a try.
void FlowCore::pass_oldest(std::uint32_t unit) {
  UnitState& u = units_[unit];
  const auto has_spoken = [&](Slot slot) {
    const State state = at(slot, unit).state;
    return state == State::kData || state == State::kAbsent;
  };
  if (u.oldest == kNoSlot || !has_spoken(u.oldest)) return;
  while (u.oldest != kNoSlot && has_spoken(u.oldest)) u.oldest = frames_[u.oldest].newer;
  u.pool_blocked = u.oldest_blocked = false;
}

// The frame stands first again, and is tried at once if a pool spoke up while it ran.
void FlowCore::wait_for_pool(std::uint32_t unit, Slot slot) {
  UnitState& u = units_[unit];
  UnitFrame& cell = at(slot, unit);
  cell.state = State::kQueued;
  u.inbox.insert(u.inbox.begin(), slot);
  u.pool_blocked = cell.resumes_at_start == u.resumes;
  u.oldest_blocked = u.pool_blocked && (u.oldest_blocked || cell.started_oldest);
}

void FlowCore::resume(std::uint32_t unit, TimeNs now, Actions& actions) {
  UnitState& u = units_[unit];
  ++u.resumes;
  if (!u.pool_blocked) return;
  u.pool_blocked = u.oldest_blocked = false;
  pump(unit, now, actions);
}

}  // namespace sluice
