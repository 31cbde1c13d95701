#include "framework/graph/flow_core.h"

#include "framework/graph/flow_state.h"

namespace sluice {

FlowCore::FlowCore(FlowGraph graph, FlowStorage& storage) : graph_(std::move(graph)), storage_(storage) {
  units_.resize(graph_.units.size());
  sources_.resize(graph_.sources.size());
  for (const FlowEdge& e : graph_.edges) {
    auto& consumers = units_[static_cast<std::size_t>(e.from_unit)].consumers;
    const auto to = static_cast<std::uint32_t>(e.to_unit);
    if (std::find(consumers.begin(), consumers.end(), to) == consumers.end()) consumers.push_back(to);
    auto& inputs = units_[to].inputs;
    const auto from = static_cast<std::uint32_t>(e.from_unit);
    auto it =
        std::find_if(inputs.begin(), inputs.end(), [from](const auto& i) { return i.producer == from; });
    if (it == inputs.end()) it = inputs.insert(inputs.end(), {from, 0});
    it->outputs |= std::uint64_t{1} << e.from_output;
  }
  Slot next = 0;
  for (std::size_t s = 0; s < sources_.size(); ++s) {
    SourceState& source = sources_[s];
    const FlowSource& spec = graph_.sources[s];
    source.first_slot = next;
    source.credits_left = spec.credits;
    for (int i = spec.slots; i > 0; --i) source.free_slots.push_back(next + static_cast<Slot>(i) - 1);
    next += static_cast<Slot>(spec.slots);
    for (std::size_t u = 0; u < graph_.units.size(); ++u) {
      if (graph_.units[u].source != static_cast<int>(s) || graph_.units[u].is_source) continue;
      source.unit_list.push_back(static_cast<std::uint32_t>(u));
      ++source.units;
      if (graph_.units[u].sink != SinkKind::kNone) ++source.sinks;
      units_[u].inbox.reserve(static_cast<std::size_t>(spec.slots) + 1);
    }
  }
  for (UnitState& unit : units_) {
    unit.first_input = inputs_;
    inputs_ += unit.inputs.size();
  }
  heard_.resize(next * inputs_);
  frames_.resize(next);
  cells_.resize(static_cast<std::size_t>(next) * units_.size());
  counters_.nodes.resize(graph_.node_rank.size());
  counters_.sinks.resize(static_cast<std::size_t>(graph_.sinks));
  counters_.sources.resize(sources_.size());
  failures_in_a_row_.resize(graph_.node_rank.size());
}

FlowCore::~FlowCore() = default;

FlowCore::UnitFrame& FlowCore::at(Slot slot, std::uint32_t unit) {
  return cells_[slot * units_.size() + unit];
}
const FrameInfo& FlowCore::frame(Slot slot) const { return frames_[slot].info; }
const std::vector<std::uint32_t>& FlowCore::consumers(std::uint32_t unit) const {
  return units_[unit].consumers;
}
int FlowCore::alive_of(int source) const {
  const auto s = static_cast<std::size_t>(source);
  return graph_.sources[s].slots - static_cast<int>(sources_[s].free_slots.size());
}
int FlowCore::credits_left(int source) const {
  return sources_[static_cast<std::size_t>(source)].credits_left;
}
std::uint64_t FlowCore::refused_for_slots(int source) const {
  return sources_[static_cast<std::size_t>(source)].refused_for_slots;
}
int FlowCore::slots_high_water(int source) const {
  return sources_[static_cast<std::size_t>(source)].high_water;
}

// --- entering ----------------------------------------------------------------------------------------------

std::optional<Slot> FlowCore::offer(int source, const FrameInfo& frame, TimeNs now, Actions& actions) {
  ++counters_.sources[static_cast<std::size_t>(source)].produced;
  auto slot = retry_offer(source, frame, now, actions);
  if (!slot && !graph_.lossless) count_not_admitted(source, frame.number, DropReason::kOverload);
  return slot;
}

std::optional<Slot> FlowCore::retry_offer(int source, const FrameInfo& frame, TimeNs, Actions&) {
  SourceState& s = sources_[static_cast<std::size_t>(source)];
  if (s.credits_left > 0 && !s.free_slots.empty() && source_has_room(s)) return admit(source, frame);
  if (s.credits_left > 0 && s.free_slots.empty()) ++s.refused_for_slots;
  s.waits_for_credit = graph_.lossless;
  return std::nullopt;
}

bool FlowCore::source_has_room(const SourceState& source) const {
  const auto& graph_source = graph_.sources[static_cast<std::size_t>(&source - sources_.data())];
  for (std::uint32_t c : units_[static_cast<std::size_t>(graph_source.unit)].consumers) {
    const FlowUnit& spec = graph_.units[c];
    if (graph_.lossless && spec.capacity > 0 && units_[c].held >= spec.capacity) return false;
  }
  return true;
}

std::optional<Slot> FlowCore::admit(int source, const FrameInfo& frame) {
  SourceState& s = sources_[static_cast<std::size_t>(source)];
  const Slot slot = s.free_slots.back();
  s.free_slots.pop_back();
  --s.credits_left;
  ++alive_;
  const int used =
      graph_.sources[static_cast<std::size_t>(source)].slots - static_cast<int>(s.free_slots.size());
  s.high_water = std::max(s.high_water, used);

  FrameRecord& f = frames_[slot];
  f = FrameRecord{};
  f.info = frame;
  f.used = true;
  f.has_credit = true;
  f.units_left = s.units;
  f.sinks_left = s.sinks;
  f.older = s.newest;
  if (s.newest != kNoSlot) frames_[s.newest].newer = slot;
  s.newest = slot;
  if (s.oldest == kNoSlot) s.oldest = slot;
  std::fill_n(heard_.begin() + static_cast<std::ptrdiff_t>(slot * inputs_), inputs_, char{0});
  for (std::uint32_t u : s.unit_list) {
    UnitFrame& cell = at(slot, u);
    cell = UnitFrame{};
    cell.inputs_left = static_cast<std::uint16_t>(units_[u].inputs.size());
    cell.readers_left = static_cast<std::uint16_t>(units_[u].consumers.size());
    if (units_[u].cursor == kNoSlot) units_[u].cursor = slot;
    if (knows_oldest(u) && units_[u].oldest == kNoSlot) units_[u].oldest = slot;
  }
  const auto unit = static_cast<std::uint32_t>(graph_.sources[static_cast<std::size_t>(source)].unit);
  UnitFrame& cell = at(slot, unit);
  cell = UnitFrame{};
  cell.readers_left = static_cast<std::uint16_t>(units_[unit].consumers.size());
  cell.state = State::kData;
  hold_consumers(unit, slot);
  if (observer_) tell_credits(source);
  return slot;
}

void FlowCore::enter(int source, Slot slot, TimeNs now, Actions& actions) {
  const auto unit = static_cast<std::uint32_t>(graph_.sources[static_cast<std::size_t>(source)].unit);
  NodeCounters& node = counters_.nodes[static_cast<std::size_t>(graph_.units[unit].nodes[0])];
  ++node.in;
  ++node.processed;
  ++node.packets_out;
  if (units_[unit].consumers.empty()) storage_.release(unit, slot);
  if (frames_[slot].sinks_left == 0) {  // read through mailboxes only, which have taken it
    frames_[slot].delivered = true;
    frame_done(slot, now, actions);
  }
  if (frames_[slot].units_left == 0) {
    free_slot(slot, actions);
    return;
  }
  actions.push_back({Action::Kind::kDeliver, unit, slot});
}

// --- joins and queues --------------------------------------------------------------------------------------

void FlowCore::arrive(std::uint32_t producer, std::uint32_t consumer, Slot slot, TimeNs now,
                      Actions& actions) {
  if (fault_ == PlantedFault::kShiftedJoin && frames_[slot].newer != kNoSlot &&
      at(frames_[slot].newer, consumer).inputs_left > 1 && faulty(fault_)) {
    slot = frames_[slot].newer;
  }
  UnitFrame& cell = at(slot, consumer);
  if (fault_ == PlantedFault::kLostAbsence && at(slot, producer).state == State::kAbsent && faulty(fault_))
    return;
  if (!hear(producer, consumer, slot)) return;
  if (--cell.inputs_left == 0) complete(consumer, slot, now, actions);
}

// False when the producer spoke twice for one frame: a bug of an executor, found by the tests.
bool FlowCore::hear(std::uint32_t producer, std::uint32_t consumer, Slot slot) {
  const auto& inputs = units_[consumer].inputs;
  const auto input =
      std::find_if(inputs.begin(), inputs.end(), [&](const auto& i) { return i.producer == producer; });
  const auto i = units_[consumer].first_input + static_cast<std::size_t>(input - inputs.begin());
  if (input == inputs.end() || heard_[slot * inputs_ + i]) {
    ++protocol_violations_;
    return false;
  }
  heard_[slot * inputs_ + i] = 1;
  return true;
}

void FlowCore::complete(std::uint32_t unit, Slot slot, TimeNs now, Actions& actions) {
  const Absence absence = absence_of_inputs(unit, slot);
  if (absence.any()) {
    resolve(unit, slot, &absence, 0, now, actions);
  } else {
    UnitFrame& cell = at(slot, unit);
    cell.state = State::kReady;
    cell.since = now;
    if (graph_.units[unit].concurrency > 1 || (fault_ == PlantedFault::kReorder && faulty(fault_))) {
      enqueue(unit, slot, now);
    }
  }
  enqueue_in_order(unit, now, actions);
  trim_overtakers(unit, now, actions);
  pump(unit, now, actions);
}

FlowCore::Absence FlowCore::absence_of_inputs(std::uint32_t unit, Slot slot) {
  Absence absence;
  for (const auto& input : units_[unit].inputs) {
    const UnitFrame& from = at(slot, input.producer);
    if (from.state == State::kAbsent) absence.merge(from.absence);
    if ((from.filtered_outputs & input.outputs) != 0) absence.filtered = true;
  }
  return absence;
}

// Moves the unit's cursor over everything that is settled; a serial unit takes frames into its inbox in that
// order.
void FlowCore::enqueue_in_order(std::uint32_t unit, TimeNs now, Actions&) {
  UnitState& u = units_[unit];
  while (u.cursor != kNoSlot) {
    const Slot slot = u.cursor;
    const State state = at(slot, unit).state;
    if (state == State::kWaiting) break;
    u.cursor = frames_[slot].newer;
    if (state == State::kReady) enqueue(unit, slot, now);
  }
}

void FlowCore::enqueue(std::uint32_t unit, Slot slot, TimeNs) {
  at(slot, unit).state = State::kQueued;
  units_[unit].inbox.push_back(slot);
}

void FlowCore::pump(std::uint32_t unit, TimeNs now, Actions& actions) {
  while (start_next(unit, now, actions)) {
  }
  trim_inbox(unit, now, actions);
  const FlowUnit& spec = graph_.units[unit];
  if (!graph_.lossless && spec.capacity > 0 && static_cast<int>(units_[unit].inbox.size()) > spec.capacity) {
    ++capacity_violations_;
  }
}

bool FlowCore::start_next(std::uint32_t unit, TimeNs now, Actions& actions) {
  UnitState& u = units_[unit];
  const FlowUnit& spec = graph_.units[unit];
  if (u.inbox.empty() || u.running >= spec.concurrency) return false;
  const auto next = next_to_start(unit);
  if (next == u.inbox.end()) return false;
  const Slot slot = *next;
  u.inbox.erase(next);
  if (graph_.deadline > 0 && now - frames_[slot].info.captured > graph_.deadline) {
    drop_at(unit, slot, DropReason::kStale, now, actions);
    return true;
  }
  UnitFrame& cell = at(slot, unit);
  cell.state = State::kRunning;
  cell.resumes_at_start = u.resumes;
  tell_start(unit, slot);
  counters_.nodes[static_cast<std::size_t>(spec.nodes[0])].wait.add(now - cell.since);
  if (observer_) tell_wait(unit, slot, now);
  cell.since = now;
  ++u.running;
  ++moves_;
  hold_consumers(unit, slot);
  actions.push_back({Action::Kind::kStart, unit, slot});
  leave_queue(unit, slot, now, actions);
  return true;
}

void FlowCore::trim_inbox(std::uint32_t unit, TimeNs now, Actions& actions) {
  UnitState& u = units_[unit];
  const FlowUnit& spec = graph_.units[unit];
  if (spec.capacity == 0 || spec.when_full == WhenFull::kBlock || graph_.lossless) return;
  if (fault_ == PlantedFault::kIgnoredCapacity && faulty(fault_)) return;
  while (static_cast<int>(u.inbox.size()) > spec.capacity) {
    const auto victim = spec.when_full == WhenFull::kDropNewest ? u.inbox.end() - 1 : u.inbox.begin();
    const Slot slot = *victim;
    u.inbox.erase(victim);
    drop_at(unit, slot, DropReason::kQueueFull, now, actions);
  }
}

// Frames that wait for an older one hold no credit where no sink waits for them: only this bounds them.
void FlowCore::trim_overtakers(std::uint32_t unit, TimeNs now, Actions& actions) {
  const FlowUnit& spec = graph_.units[unit];
  if (spec.may_overtake == 0 || graph_.lossless) return;
  int waiting = 0;
  Slot oldest = kNoSlot, newest = kNoSlot;
  for (Slot slot = units_[unit].cursor; slot != kNoSlot; slot = frames_[slot].newer) {
    if (at(slot, unit).state != State::kReady) continue;
    if (waiting++ == 0) oldest = slot;
    newest = slot;
  }
  if (waiting <= spec.may_overtake) return;
  drop_at(unit, spec.when_full == WhenFull::kDropNewest ? newest : oldest, DropReason::kQueueFull, now,
          actions);
}

// --- back-pressure of `block` edges ------------------------------------------------------------------------

// The oldest frame a consumer still waits for has room, else frames that overtook it could lock it out;
// unless older ones fill the queue, which go without it, and each of which tells the producers when it does.
bool FlowCore::has_room(std::uint32_t unit, Slot slot) const {
  const auto older_in_queue = [&](std::uint32_t consumer) {
    const std::vector<Slot>& inbox = units_[consumer].inbox;
    return static_cast<int>(std::count_if(inbox.begin(), inbox.end(), [&](Slot s) {
      return frames_[s].info.number < frames_[slot].info.number && cells_[s * units_.size() + consumer].held;
    }));
  };
  for (std::uint32_t c : units_[unit].consumers) {
    const int capacity = graph_.units[c].capacity;
    if (capacity == 0 || units_[c].held < capacity || cells_[slot * units_.size() + c].held) continue;
    if (units_[c].cursor != slot || older_in_queue(c) >= capacity) return false;
  }
  return true;
}

void FlowCore::hold_consumers(std::uint32_t unit, Slot slot) {
  for (std::uint32_t c : units_[unit].consumers) {
    UnitFrame& cell = at(slot, c);
    if (cell.held) continue;
    cell.held = true;
    ++units_[c].held;
  }
}

// The frame no longer waits in front of `unit`: its producers may go on.
void FlowCore::leave_queue(std::uint32_t unit, Slot slot, TimeNs now, Actions& actions) {
  UnitFrame& cell = at(slot, unit);
  if (cell.held) {
    cell.held = false;
    --units_[unit].held;
  } else if (units_[unit].held < graph_.units[unit].capacity) {
    return;  // nobody waited for it; a full unit may now wait for another frame, which has room then
  }
  if (!graph_.lossless || graph_.units[unit].capacity == 0) return;
  for (const auto& input : units_[unit].inputs) {
    if (!graph_.units[input.producer].is_source) {
      pump(input.producer, now, actions);
      continue;
    }
    const int source = graph_.units[input.producer].source;
    SourceState& s = sources_[static_cast<std::size_t>(source)];
    if (!s.waits_for_credit) continue;
    s.waits_for_credit = false;
    actions.push_back({Action::Kind::kCredit, static_cast<std::uint32_t>(source), kNoSlot});
  }
}

// --- results -----------------------------------------------------------------------------------------------

void FlowCore::finished(std::uint32_t unit, Slot slot, const Outcome& outcome, TimeNs now, Actions& actions) {
  UnitState& u = units_[unit];
  --u.running;
  ++moves_;
  if (outcome.kind == Outcome::Kind::kRetry) {
    wait_for_pool(unit, slot);
    pump(unit, now, actions);
    return;
  }
  count_runs(graph_.units[unit], outcome, actions);
  if (observer_) tell_runs(unit, slot, outcome);
  if (outcome.kind == Outcome::Kind::kData) {
    resolve(unit, slot, nullptr, outcome.filtered_outputs, now, actions);
  } else {
    Absence absence;
    const int node = graph_.units[unit].nodes[outcome.runs.size() - 1];
    if (outcome.kind == Outcome::Kind::kFiltered) {
      absence.filtered = true;
    } else {
      absence.loss = outcome.reason;
      absence.loss_rank = graph_.node_rank[static_cast<std::size_t>(node)];
    }
    resolve(unit, slot, &absence, 0, now, actions);
  }
  pump(unit, now, actions);
}

// The unit itself loses a frame that waits for it.
void FlowCore::drop_at(std::uint32_t unit, Slot slot, DropReason reason, TimeNs now, Actions& actions) {
  const Absence absence = count_loss(unit, slot, reason);
  resolve(unit, slot, &absence, 0, now, actions);
}

bool FlowCore::no_mailbox_takes(const FlowUnit& unit, std::uint64_t filtered_outputs) {
  return unit.sink == SinkKind::kImplied && unit.mailbox_outputs != 0 &&
         (unit.mailbox_outputs & ~filtered_outputs) == 0;
}

void FlowCore::resolve(std::uint32_t unit, Slot slot, const Absence* absence, std::uint64_t filtered_outputs,
                       TimeNs now, Actions& actions) {
  UnitFrame& cell = at(slot, unit);
  cell.state = absence ? State::kAbsent : State::kData;
  if (absence) cell.absence = *absence;
  cell.filtered_outputs = filtered_outputs;
  pass_oldest(unit);
  release_inputs(unit, slot);
  if (cell.readers_left == 0) storage_.release(unit, slot);
  if (graph_.units[unit].sink != SinkKind::kNone) {
    Absence turned_away;
    turned_away.filtered = true;
    const bool nobody_takes = !absence && no_mailbox_takes(graph_.units[unit], filtered_outputs);
    speak_as_sink(unit, slot, nobody_takes ? &turned_away : absence, now, actions);
  }
  const bool speaks = !units_[unit].consumers.empty();
  if (speaks) actions.push_back({Action::Kind::kDeliver, unit, slot});
  enqueue_in_order(unit, now, actions);
  leave_queue(unit, slot, now, actions);
  if (--frames_[slot].units_left == 0) free_slot(slot, actions);
}

void FlowCore::release_inputs(std::uint32_t unit, Slot slot) {
  for (const auto& input : units_[unit].inputs) {
    UnitFrame& from = at(slot, input.producer);
    if (fault_ == PlantedFault::kEarlyRelease && from.readers_left > 1 && faulty(fault_))
      from.readers_left = 1;
    if (from.readers_left == 0) continue;
    --from.readers_left;
    if (from.readers_left == 0) storage_.release(input.producer, slot);
  }
}

void FlowCore::free_slot(Slot slot, Actions& actions) {
  FrameRecord& f = frames_[slot];
  SourceState& s = sources_[f.info.source];
  if (f.older != kNoSlot) frames_[f.older].newer = f.newer;
  if (f.newer != kNoSlot) frames_[f.newer].older = f.older;
  if (s.oldest == slot) s.oldest = f.newer;
  if (s.newest == slot) s.newest = f.older;
  f.used = false;
  --alive_;
  s.free_slots.push_back(slot);
  return_credit(f, actions);
}

// --- for the watchdog --------------------------------------------------------------------------------------

std::vector<Waiting> FlowCore::waiting() const {
  std::vector<Waiting> out;
  for (Slot slot = 0; slot < frames_.size(); ++slot) {
    if (!frames_[slot].used) continue;
    for (std::uint32_t u : sources_[frames_[slot].info.source].unit_list) {
      const State state = cells_[slot * units_.size() + u].state;
      if (state != State::kData && state != State::kAbsent) out.push_back(waiting_for(u, slot));
    }
  }
  return out;
}

Waiting FlowCore::waiting_for(std::uint32_t unit, Slot slot) const {
  const UnitState& u = units_[unit];
  Waiting w{unit, frames_[slot].info, Waiting::For::kTurn, 0};
  const State state = cells_[slot * units_.size() + unit].state;
  if (state == State::kRunning) {
    w.what = Waiting::For::kRun;
    w.since = cells_[slot * units_.size() + unit].since;
  }
  if (state == State::kQueued && u.pool_blocked) w.what = Waiting::For::kPool;
  if (state != State::kWaiting) return w;
  w.what = Waiting::For::kInput;
  for (std::size_t i = 0; i < u.inputs.size(); ++i) {
    if (heard_[slot * inputs_ + u.first_input + i]) continue;
    w.producer = u.inputs[i].producer;
    const State from = cells_[slot * units_.size() + w.producer].state;
    if (from != State::kData && from != State::kAbsent) continue;
    w.what = Waiting::For::kMessage;
    break;
  }
  return w;
}

}  // namespace sluice
