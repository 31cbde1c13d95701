// Single-threaded discrete-event executor: everything happens in `wait`, in one order, under a manual clock
// that moves only when nothing is left to do at the present instant. For tests and simulation.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "framework/graph/executor.h"

namespace sluice {

class DiscreteExecutor final : public Executor {
 public:
  // `setup.clock` must be `clock`.
  DiscreteExecutor(ExecutorSetup setup, ManualClock& clock);
  Status start() override;
  // `timeout_real_s` bounds nothing here: it returns when all is done, or false when nothing can happen any
  // more.
  bool wait(double timeout_real_s) override;
  void shut_down() override {}
  // Nothing else runs meanwhile: buffers of the old size simply go back to their old pool later.
  bool wait_source_drained(int) override { return true; }
  // Ends a run whose cost was kNever, at the clock's present: how long it takes was not known when it began.
  void end_run(std::uint32_t unit, Slot slot, const Outcome& outcome) { finish(unit, slot, outcome); }
  // Called before each event; a test may stop or look at anything.
  void on_event(std::function<void()> callback) { on_event_ = std::move(callback); }
  // Loses the n-th message (from 0) on its way to its consumer, for tests of the watchdog.
  void lose_message(std::uint64_t n) { lose_ = n; }
  struct LostMessage {
    std::uint32_t producer = 0;
    std::uint32_t consumer = 0;
    FrameInfo frame;
  };
  const std::optional<LostMessage>& lost_message() const { return lost_; }

 protected:
  void carry_out(const Actions& actions) override;
  void wake_sources() override {}  // `wait` looks at `stopping_` itself

 private:
  void run_event();
  bool loses(std::uint32_t producer, std::uint32_t consumer, Slot slot);
  void run_unit(std::uint32_t unit, Slot slot);
  void run_source(int source);

  struct Event {
    enum class Kind : std::uint8_t { kArrive, kStart, kSource } kind;
    std::uint32_t unit = 0;  // kArrive: the consumer; kSource: the source
    std::uint32_t producer = 0;
    Slot slot = kNoSlot;
  };
  ManualClock& clock_;
  std::deque<Event> events_;
  std::function<void()> on_event_;
  std::uint64_t messages_ = 0;
  std::uint64_t lose_ = UINT64_MAX;
  std::optional<LostMessage> lost_;
};

}  // namespace sluice
