// The flow core's books: what became of each frame, per node, sink and source (contract section 3 rule 4).
#include <cassert>

#include "framework/graph/failures_in_a_row.h"
#include "framework/graph/flow_core.h"
#include "framework/graph/flow_state.h"

namespace sluice {
namespace {

std::size_t index(DropReason reason) { return static_cast<std::size_t>(reason); }

}  // namespace

std::uint64_t SourceCounters::in_flight() const {
  std::uint64_t settled = delivered;
  for (std::uint64_t n : dropped) settled += n;
  return produced - settled;
}

// A frame that never got a slot: due and dropped at every sink, at once.
void FlowCore::count_not_admitted(int source, std::uint64_t number, DropReason reason) {
  const auto s = static_cast<std::size_t>(source);
  if (!(fault_ == PlantedFault::kUncountedDrop && faulty(fault_)))
    ++counters_.sources[s].dropped[index(reason)];
  const int unit = graph_.sources[s].unit;
  NodeCounters& node =
      counters_.nodes[static_cast<std::size_t>(graph_.units[static_cast<std::size_t>(unit)].nodes[0])];
  ++node.in;
  ++node.dropped[index(reason)];
  if (observer_) tell_drop(source, graph_.units[static_cast<std::size_t>(unit)].nodes[0], number, reason);
  for (std::uint32_t u : sources_[s].unit_list) {
    if (graph_.units[u].sink != SinkKind::kCounting) continue;
    SinkCounters& sink = counters_.sinks[static_cast<std::size_t>(graph_.units[u].sink_index)];
    ++sink.due;
    ++sink.dropped[index(reason)];
  }
}

// A unit loses a frame without its body having spoken.
FlowCore::Absence FlowCore::count_loss(std::uint32_t unit, Slot slot, DropReason reason) {
  const int node = graph_.units[unit].nodes[0];
  NodeCounters& counters = counters_.nodes[static_cast<std::size_t>(node)];
  ++counters.in;
  ++counters.dropped[index(reason)];
  if (observer_) tell_drop(frames_[slot].info.source, node, frames_[slot].info.number, reason);
  Absence absence;
  absence.loss = fault_ == PlantedFault::kWrongReason && faulty(fault_) ? DropReason::kCancelled : reason;
  absence.loss_rank = graph_.node_rank[static_cast<std::size_t>(node)];
  return absence;
}

void FlowCore::give_up(int source, DropReason reason) {
  if (abandoned_) return;
  sources_[static_cast<std::size_t>(source)].waits_for_credit = false;
  count_not_admitted(source, kNoFrameNumber, reason);
}

void FlowCore::lose(int source, DropReason reason) {
  ++counters_.sources[static_cast<std::size_t>(source)].produced;
  count_not_admitted(source, kNoFrameNumber, reason);
}

void FlowCore::count_runs(const FlowUnit& unit, const Outcome& outcome, Actions& actions) {
  assert(!outcome.runs.empty() && outcome.runs.size() <= unit.nodes.size());
  for (std::size_t i = 0; i < outcome.runs.size(); ++i) {
    const int node = unit.nodes[i];
    NodeCounters& counters = counters_.nodes[static_cast<std::size_t>(node)];
    const bool last = i + 1 == outcome.runs.size();
    ++counters.in;
    if (outcome.runs[i].busy >= 0) counters.busy.add(outcome.runs[i].busy);
    counters.failed_items += outcome.runs[i].failed_items;
    if (!last || outcome.kind == Outcome::Kind::kData) {
      ++counters.processed;
      counters.packets_out += outcome.runs[i].packets;
      failures_in_a_row_[static_cast<std::size_t>(node)] = 0;
    } else if (outcome.kind == Outcome::Kind::kFiltered) {
      ++counters.filtered;
    } else {
      ++counters.dropped[index(outcome.reason)];
      const bool failed = outcome.reason == DropReason::kFailed || outcome.reason == DropReason::kTimeout;
      if (failed) count_failure(node, actions);
    }
  }
}

void FlowCore::count_failure(int node, Actions& actions) {
  const auto n = static_cast<std::size_t>(node);
  const bool stops = graph_.node_stops[n] || ++failures_in_a_row_[n] >= kFailuresInARow;
  if (stops) actions.push_back({Action::Kind::kStop, static_cast<std::uint32_t>(node), kNoSlot});
}

void FlowCore::speak_as_sink(std::uint32_t unit, Slot slot, const Absence* absence, TimeNs now,
                             Actions& actions) {
  FrameRecord& f = frames_[slot];
  const FlowUnit& spec = graph_.units[unit];
  if (fault_ == PlantedFault::kSkippedSink && faulty(fault_)) return;
  const bool due = !absence || !absence->filtered;
  if (!absence) f.delivered = true;
  if (absence && due) f.missed = true;
  if (absence) f.missing.merge(*absence);
  if (spec.sink == SinkKind::kCounting) {
    SinkCounters& sink = counters_.sinks[static_cast<std::size_t>(spec.sink_index)];
    if (due) ++sink.due;
    if (!due) ++sink.filtered;
    if (absence && due) ++sink.dropped[index(absence->loss)];
    if (!absence) {
      if (sink.delivered++ == 0) sink.first_delivery = now;
      sink.last_delivery = now;
      sink.latency.add(now - f.info.captured);
    }
  }
  if (--f.sinks_left == 0) frame_done(slot, now, actions);
}

// Every sink has spoken: the frame counts once, and in realtime its credit goes back although slow branches
// that end in mailboxes may still work on it.
void FlowCore::frame_done(Slot slot, TimeNs now, Actions& actions) {
  FrameRecord& f = frames_[slot];
  f.done = true;
  SourceCounters& source = counters_.sources[f.info.source];
  DropReason reason = DropReason::kNone;
  if (f.delivered && !f.missed) {
    ++source.delivered;
    if (counters_.delivered++ == 0) counters_.first_delivery = now;
    counters_.last_delivery = now;
    counters_.latency.add(now - f.info.captured);
    counters_.after_source.add(now - f.info.produced);
  } else {
    reason = f.missing.loss != DropReason::kNone ? f.missing.loss : DropReason::kFiltered;
    ++source.dropped[index(reason)];
  }
  if (observer_) tell_frame(f.info, reason, now);
  if (!graph_.lossless) return_credit(f, actions);
}

void FlowCore::return_credit(FrameRecord& frame, Actions& actions) {
  if (!frame.has_credit) return;
  frame.has_credit = false;
  if (fault_ == PlantedFault::kLostCredit && faulty(fault_)) return;
  SourceState& s = sources_[frame.info.source];
  ++s.credits_left;
  if (observer_) tell_credits(frame.info.source);
  if (fault_ == PlantedFault::kDoubleReturn && faulty(fault_)) ++s.credits_left;
  if (s.waits_for_credit) {
    s.waits_for_credit = false;
    actions.push_back({Action::Kind::kCredit, frame.info.source, kNoSlot});
  }
}

// True once, at the planted moment.
bool FlowCore::faulty(PlantedFault fault) {
  if (fault_ != fault || fault_after_-- > 0) return false;
  fault_ = PlantedFault::kNone;
  return true;
}

}  // namespace sluice
