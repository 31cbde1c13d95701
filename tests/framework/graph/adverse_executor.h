// An executor in which nothing happens in the order one would like: one thread, and of all that could happen
// next the most awkward does, by a seeded choice.
#pragma once

#include <cstdint>
#include <vector>

#include "framework/graph/executor.h"

namespace sluice::testing {

// What a source of the adverse executor is asked before each step, besides what every feed is.
class PatientFeed : public SourceFeed {
 public:
  // True when `next` would have to wait for a buffer: then the source is not stepped.
  virtual bool would_wait() const = 0;
};

class AdverseExecutor final : public Executor {
 public:
  // `feeds` are those of the setup.
  AdverseExecutor(ExecutorSetup setup, std::vector<PatientFeed*> feeds, std::uint64_t seed);
  Status start() override { return {}; }
  // Runs everything. False when frames are inside, or sources have not ended, and nothing can happen any
  // more; or when more happened than a run that gets anywhere needs.
  bool wait(double) override;
  void shut_down() override {}
  bool wait_source_drained(int) override { return true; }
  // Who waits for what.
  std::string stuck() const;
  std::uint64_t retries() const { return retries_; }

 protected:
  void carry_out(const Actions& actions) override;
  void wake_sources() override {}

 private:
  struct Event {
    enum class Kind : std::uint8_t { kArrive, kRun, kFinish, kSource } kind;
    std::uint32_t unit = 0;  // kSource: the source
    std::uint32_t producer = 0;
    Slot slot = kNoSlot;
    Outcome outcome;
  };
  // What the choice is unfair to.
  enum class Grudge : std::uint8_t { kNone, kOldFrames, kSomeFrames, kSources, kFinishing, kUnit };

  std::vector<Event> possible() const;
  std::size_t choose(const std::vector<Event>& events);
  bool disfavoured(const Event& event) const;
  std::uint64_t number(const Event& event) const;
  void happen(const Event& event);
  std::uint64_t dice();

  std::vector<PatientFeed*> feeds_;
  std::vector<Event> events_;
  std::vector<bool> credit_;  // by source: may be stepped
  std::uint64_t seed_;
  std::uint64_t steps_ = 0;
  std::uint64_t retries_ = 0;
  const Grudge grudge_;
};

}  // namespace sluice::testing
