// The faults that the options of the `fake` backend ask for, on a simulated device: which run fails, hangs or
// writes NaN.
#pragma once

#include <cstdint>
#include <vector>

#include "framework/core/frame.h"
#include "framework/core/status.h"
#include "framework/node/options.h"

namespace sluice {

// Of one infer node. Its session stays open when it goes to another backend and back, so runs go on counting.
class FakeFaults {
 public:
  FakeFaults() = default;  // none
  explicit FakeFaults(const Options& fake);

  struct Run {
    Status status;           // ok, or what the real backend would say
    double gives_up_ms = 0;  // of a run that hangs: how long it is waited for
    bool wrote_nan = false;  // it ran; its outputs cost the frame, and ten in a row the backend
  };
  // The next run, which takes `latency_ms`.
  Run next(double latency_ms);
  // A run beside the frames: nobody looks at what came out.
  Run probe(double latency_ms);
  // The node ran a frame well on another backend: NaN from now on is a new row of them.
  void ran_elsewhere() { nan_in_a_row_ = 0; }

 private:
  std::vector<double> fail_at_, hang_at_, nan_at_;
  double timeout_ms_ = 0;
  std::uint64_t runs_ = 0;
  int nan_in_a_row_ = 0;
};

}  // namespace sluice
