// The flow core: credits, edge queues, join slots, deadlines, drops, order and accounting of contract section
// 3 in one deterministic state machine. It has no thread, lock or clock: executors serialise the calls, tell
// it the time, and carry out the actions it answers with.
//
//   offer / arrive / finished / resume   ->   start, deliver, credit, stop     (and `release` through
//   FlowStorage)
//
// A frame that is admitted gets a slot (its frame record) and visits every unit of its source exactly once:
// it runs there, or it is absent there. Both are told to the unit's consumers by one `deliver`, so a join
// always hears from all its producers and waits for nothing else.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "framework/core/frame.h"
#include "framework/graph/flow_counters.h"
#include "framework/graph/flow_events.h"
#include "framework/graph/flow_graph.h"

namespace sluice {

using Slot = std::uint32_t;
constexpr Slot kNoSlot = UINT32_MAX;

// What travels on every edge: "unit `unit` has spoken for the frame in `slot`". Trivially copyable.
struct Message {
  std::uint32_t unit = 0;
  Slot slot = kNoSlot;
};

struct Action {
  enum class Kind : std::uint8_t {
    kStart,    // run `unit` for `slot`, then call finished
    kDeliver,  // tell all consumers of `unit` (arrive each) about `slot`
    kCredit,   // source `unit` (a source index) may offer again
    kStop,     // the run has to end: node `unit` (a node index) failed under its on_error rule
  };
  // No initialisers: an Actions on the stack of every call would have to write them.
  Kind kind;
  std::uint32_t unit;
  Slot slot;
};

// What one call answered. Lives on the caller's stack; only unusually wide graphs make it allocate.
class Actions {
 public:
  void push_back(const Action& action) {
    if (size_ < kInline) {
      first_[size_] = action;
    } else {
      more_.push_back(action);
    }
    ++size_;
  }
  std::size_t size() const { return size_; }
  const Action& operator[](std::size_t i) const { return i < kInline ? first_[i] : more_[i - kInline]; }
  Action take_last() {
    const Action last = (*this)[--size_];
    if (size_ >= kInline) more_.pop_back();
    return last;
  }
  void clear() {
    size_ = 0;
    more_.clear();
  }

 private:
  static constexpr std::size_t kInline = 24;
  std::size_t size_ = 0;
  std::array<Action, kInline> first_;
  std::vector<Action> more_;
};

// How one node of a unit did for one frame.
struct NodeRun {
  TimeNs busy = 0;                 // negative: it lost the frame before it started
  std::uint32_t packets = 0;       // emitted
  std::uint32_t failed_items = 0;  // elements of a list that failed while others did not
  // When and where, by the run's clock; only written for an observer.
  TimeNs begin = 0;
  TimeNs end = 0;
  std::uint32_t thread = 0;
};

// How a unit did for one frame. `runs` has one entry per node that was started.
struct Outcome {
  enum class Kind : std::uint8_t {
    kData,      // all nodes ran (an empty list is data)
    kFiltered,  // the last node of `runs` turned the frame away on purpose
    kDropped,   // ... gave it up under `reason` (kFailed counts towards its on_error rule)
    kRetry,     // lossless: a pool was empty; run it again after `resume`
  };
  Kind kind = Kind::kData;
  DropReason reason = DropReason::kNone;
  std::uint64_t filtered_outputs = 0;  // kData: bit per output of the unit turned away (switch)
  std::span<const NodeRun> runs;
};

// Where the packets lie. Called with the core's lock held: moves handles out, destroys nothing.
class FlowStorage {
 public:
  virtual ~FlowStorage() = default;
  // Nobody reads the outputs of `unit` for `slot` any more (exact edges).
  virtual void release(std::uint32_t unit, Slot slot) = 0;
  // Lossless: `unit`, which runs several frames at once, starts for `slot`. `oldest`: it has spoken for all
  // frames before that one. The others leave the oldest what it needs of the unit's pools: they keep theirs
  // until it has gone on.
  virtual void starts(std::uint32_t /*unit*/, Slot, bool /*oldest*/) {}
};

// What a unit waits for before it can go on with a frame; for the watchdog. Causes are kMessage, kRun and
// kPool: the others wait for something that waits itself.
struct Waiting {
  std::uint32_t unit = 0;
  FrameInfo frame;
  enum class For : std::uint8_t {
    kMessage,  // `producer` has spoken, but its message has not arrived: on its way, or lost
    kInput,    // `producer` has not spoken
    kTurn,     // older frames, or room at a consumer
    kRun,      // it runs
    kPool,     // a pool was empty
  };
  For what = For::kInput;
  std::uint32_t producer = 0;
  TimeNs since = 0;  // kRun: when it started
};

// Faults that the property test plants to prove that it would find them.
enum class PlantedFault : std::uint8_t {
  kNone,
  kLostCredit,
  kDoubleReturn,
  kShiftedJoin,
  kLostAbsence,
  kUncountedDrop,
  kWrongReason,
  kReorder,
  kSkippedSink,
  kIgnoredCapacity,
  kEarlyRelease,
};

class FlowCore {
 public:
  FlowCore(FlowGraph graph, FlowStorage& storage);
  ~FlowCore();
  FlowCore(const FlowCore&) = delete;

  const FlowGraph& graph() const { return graph_; }
  // Tells `observer` (null: nobody) everything from now on; it outlives the core.
  void observe(FlowObserver* observer) { observer_ = observer; }

  // A capture is complete: counts it as produced and asks for a credit. Admitted: the slot. Else nothing;
  // then realtime has counted it as `overload`, and lossless expects `retry_offer` after a kCredit or
  // `give_up`.
  std::optional<Slot> offer(int source, const FrameInfo& frame, TimeNs now, Actions& actions);
  std::optional<Slot> retry_offer(int source, const FrameInfo& frame, TimeNs now, Actions& actions);
  // The frame that waits for a credit is not to enter any more: `cancelled`.
  void give_up(int source, DropReason reason);
  // The caller has stored the outputs of the source's unit: tells the consumers.
  void enter(int source, Slot slot, TimeNs now, Actions& actions);
  // A capture that could not even be made (an empty pool): produced and dropped.
  void lose(int source, DropReason reason);
  void corrupt(int source) { ++counters_.sources[static_cast<std::size_t>(source)].corrupt; }

  // `producer` has spoken for `slot`; called once per consumer unit of it.
  void arrive(std::uint32_t producer, std::uint32_t consumer, Slot slot, TimeNs now, Actions& actions);
  void finished(std::uint32_t unit, Slot slot, const Outcome& outcome, TimeNs now, Actions& actions);
  // A pool that made `unit` answer kRetry has something again. Harmless when nothing waits.
  void resume(std::uint32_t unit, TimeNs now, Actions& actions);
  // For a run that cannot end, because a body does not come back: each frame inside is lost, `timeout` at the
  // units that run for it, `cancelled` at those that were to. Packets are not released (a hung body may still
  // use them), and nothing but the counters may be asked from here on.
  void abandon(TimeNs now);
  bool abandoned() const { return abandoned_; }

  const FrameInfo& frame(Slot slot) const;
  // True while no admitted frame is anywhere.
  bool idle() const { return alive_ == 0; }
  int alive() const { return alive_; }
  int alive_of(int source) const;
  // Grows when a unit starts or finishes a frame. What is offered, dropped or still on its way does not
  // count: that goes on beside a node that hangs.
  std::uint64_t moves() const { return moves_; }
  // Consumer units of a unit, each once.
  const std::vector<std::uint32_t>& consumers(std::uint32_t unit) const;
  const FlowCounters& counters() const { return counters_; }
  std::vector<Waiting> waiting() const;
  // Most frame records of a source in use at once.
  int slots_high_water(int source) const;
  int credits_left(int source) const;
  // How often a frame had a credit but no frame record was free: 0, or the plan sized the slots too small.
  std::uint64_t refused_for_slots(int source) const;
  // How often more frames were left waiting for a unit than its capacity: always 0.
  std::uint64_t capacity_violations() const { return capacity_violations_; }
  // How often an executor told of the same message twice: always 0.
  std::uint64_t protocol_violations() const { return protocol_violations_; }
  void plant(PlantedFault fault, std::uint64_t after) {
    fault_ = fault;
    fault_after_ = after;
  }

 private:
  struct Absence;
  struct UnitFrame;
  struct FrameRecord;
  struct UnitState;
  struct SourceState;

  UnitFrame& at(Slot slot, std::uint32_t unit);
  bool hear(std::uint32_t producer, std::uint32_t consumer, Slot slot);
  Waiting waiting_for(std::uint32_t unit, Slot slot) const;
  std::optional<Slot> admit(int source, const FrameInfo& frame);
  bool source_has_room(const SourceState& source) const;
  void count_not_admitted(int source, std::uint64_t number, DropReason reason);
  void complete(std::uint32_t unit, Slot slot, TimeNs now, Actions& actions);
  Absence absence_of_inputs(std::uint32_t unit, Slot slot);
  void enqueue_in_order(std::uint32_t unit, TimeNs now, Actions& actions);
  void enqueue(std::uint32_t unit, Slot slot, TimeNs now);
  void pump(std::uint32_t unit, TimeNs now, Actions& actions);
  void trim_inbox(std::uint32_t unit, TimeNs now, Actions& actions);
  void trim_overtakers(std::uint32_t unit, TimeNs now, Actions& actions);
  bool start_next(std::uint32_t unit, TimeNs now, Actions& actions);
  std::vector<Slot>::iterator next_to_start(std::uint32_t unit);
  bool knows_oldest(std::uint32_t unit) const {
    return graph_.lossless && graph_.units[unit].concurrency > 1;
  }
  void tell_start(std::uint32_t unit, Slot slot);
  void pass_oldest(std::uint32_t unit);
  void wait_for_pool(std::uint32_t unit, Slot slot);
  bool has_room(std::uint32_t unit, Slot slot) const;
  void hold_consumers(std::uint32_t unit, Slot slot);
  void leave_queue(std::uint32_t unit, Slot slot, TimeNs now, Actions& actions);
  void drop_at(std::uint32_t unit, Slot slot, DropReason reason, TimeNs now, Actions& actions);
  Absence count_loss(std::uint32_t unit, Slot slot, DropReason reason);
  void resolve(std::uint32_t unit, Slot slot, const Absence* absence, std::uint64_t filtered_outputs,
               TimeNs now, Actions& actions);
  void release_inputs(std::uint32_t unit, Slot slot);
  // All that is read of the unit's outputs was turned away for this frame.
  static bool no_mailbox_takes(const FlowUnit& unit, std::uint64_t filtered_outputs);
  void speak_as_sink(std::uint32_t unit, Slot slot, const Absence* absence, TimeNs now, Actions& actions);
  void frame_done(Slot slot, TimeNs now, Actions& actions);
  void return_credit(FrameRecord& frame, Actions& actions);
  void free_slot(Slot slot, Actions& actions);
  void lose_where_it_stands(Slot slot, TimeNs now);
  void lose_where_it_is_awaited(Slot slot, TimeNs now);
  bool all_have_spoken(std::uint32_t unit, Slot slot);
  void lose_at(std::uint32_t unit, Slot slot, DropReason reason, TimeNs now);
  void settle_absent(std::uint32_t unit, Slot slot, const Absence& absence, TimeNs now);
  void count_runs(const FlowUnit& unit, const Outcome& outcome, Actions& actions);
  void count_failure(int node, Actions& actions);
  bool faulty(PlantedFault fault);
  void tell_wait(std::uint32_t unit, Slot slot, TimeNs now);
  void tell_runs(std::uint32_t unit, Slot slot, const Outcome& outcome);
  void tell_drop(int source, int node, std::uint64_t number, DropReason reason);
  void tell_frame(const FrameInfo& frame, DropReason reason, TimeNs now);
  void tell_credits(int source);

  FlowGraph graph_;
  FlowStorage& storage_;
  FlowObserver* observer_ = nullptr;
  FlowCounters counters_;
  std::vector<UnitState> units_;
  std::vector<SourceState> sources_;
  std::vector<FrameRecord> frames_;
  std::vector<UnitFrame> cells_;  // [slot * units + unit]
  std::vector<char> heard_;       // [slot * inputs_ + UnitState::first_input + i]: input i has spoken
  std::size_t inputs_ = 0;
  std::vector<std::uint32_t> failures_in_a_row_;  // by node
  int alive_ = 0;
  bool abandoned_ = false;
  std::uint64_t moves_ = 0;
  std::uint64_t capacity_violations_ = 0;
  std::uint64_t protocol_violations_ = 0;
  PlantedFault fault_ = PlantedFault::kNone;
  std::uint64_t fault_after_ = 0;
};

}  // namespace sluice
