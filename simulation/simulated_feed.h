// A source of a simulated run: answers from its header, keeps its pace, and costs what decoding would.
#pragma once

#include <cstdint>

#include "framework/graph/executor.h"
#include "framework/graph/source_feed.h"
#include "simulation/device.h"

namespace sluice {

class SimulatedFeed final : public SourceFeed {
 public:
  struct Setup {
    int source = 0;
    SourceInfo info;
    Pace pace;
    std::int64_t limit = -1;  // captures; -1: all
    bool endless = false;     // files begin again at their end
    Work work;                // of one capture
    SimulatedDevice* device = nullptr;
    Clock* clock = nullptr;
    TimeNs device_offset = 0;  // device time at the run's zero
  };
  explicit SimulatedFeed(Setup setup);

  TimeNs next_due() override;
  Result<FrameInfo> next() override;
  TimeNs enter_due() override { return enter_due_; }
  void store(Slot) override {}
  void discard() override {}
  void interrupt() override {}

 private:
  Setup setup_;
  TimeNs period_;  // of media time
  std::uint64_t number_ = 0;
  TimeNs start_ = -1;
  TimeNs enter_due_ = 0;
};

}  // namespace sluice
