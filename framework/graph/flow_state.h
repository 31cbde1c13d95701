// The flow core's private records. Included by the files flow_*.cc only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "framework/graph/flow_core.h"

namespace sluice {

// Why a unit has nothing for a frame. An absence travels like data; where several meet they merge: being
// turned away on purpose anywhere makes a sink not due, and of several losses that of the node first in the
// file counts.
struct FlowCore::Absence {
  bool filtered = false;
  DropReason loss = DropReason::kNone;
  int loss_rank = INT32_MAX;

  void merge(const Absence& other) {
    filtered = filtered || other.filtered;
    if (other.loss != DropReason::kNone && other.loss_rank < loss_rank) {
      loss = other.loss;
      loss_rank = other.loss_rank;
    }
  }
  bool any() const { return filtered || loss != DropReason::kNone; }
};

// Where a frame stands at a unit. kReady: complete, but an older frame is not; kData, kAbsent: the unit has
// spoken.
enum class State : std::uint8_t { kWaiting, kReady, kQueued, kRunning, kData, kAbsent };

// One unit's part of one frame.
struct FlowCore::UnitFrame {
  State state = State::kWaiting;
  bool held = false;               // counted in the unit's `held`: a producer started it (block edges)
  std::uint16_t inputs_left = 0;   // producers that have not spoken
  std::uint16_t readers_left = 0;  // consumers that may still read its outputs
  std::uint64_t filtered_outputs = 0;
  bool started_oldest = false;  // UnitState::oldest, when it started
  std::uint32_t resumes_at_start = 0;
  TimeNs since = 0;  // when it was complete; once it runs: when it started
  Absence absence;
};

struct FlowCore::FrameRecord {
  FrameInfo info;
  bool used = false;
  bool has_credit = false;
  bool done = false;
  bool delivered = false;
  bool missed = false;
  Absence missing;  // merged over the sinks that did not get it
  int sinks_left = 0;
  int units_left = 0;
  Slot older = kNoSlot;  // neighbours in the source's list of frames in order of admission
  Slot newer = kNoSlot;
};

struct FlowCore::UnitState {
  struct Input {
    std::uint32_t producer;
    std::uint64_t outputs;  // bits of the producer's outputs this unit reads
  };
  std::vector<Input> inputs;    // one per producer
  std::size_t first_input = 0;  // into a slot's part of `heard_`
  std::vector<std::uint32_t> consumers;
  std::vector<Slot> inbox;  // complete frames waiting for the unit, oldest first
  int running = 0;
  int held = 0;                 // frames that a producer started and this unit has not
  bool pool_blocked = false;    // no frame starts but the oldest, which has not found its pool empty yet
  bool oldest_blocked = false;  // nor that one
  Slot oldest = kNoSlot;        // lossless, several frames at once: the oldest it has not spoken for
  std::uint32_t resumes = 0;    // how often a pool spoke up
  Slot cursor = kNoSlot;        // oldest frame that has not reached the inbox (or been found absent)
};

struct FlowCore::SourceState {
  Slot first_slot = 0;
  std::vector<Slot> free_slots;
  int credits_left = 0;
  bool waits_for_credit = false;
  int units = 0;  // besides the source itself
  int sinks = 0;  // of either kind
  int high_water = 0;
  std::uint64_t refused_for_slots = 0;
  Slot oldest = kNoSlot;
  Slot newest = kNoSlot;
  std::vector<std::uint32_t> unit_list;  // besides the source itself
};

}  // namespace sluice
