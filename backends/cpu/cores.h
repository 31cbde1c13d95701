// Which CPU cores a session's threads may use: on big.LITTLE chips eight cores are slower than the four big
// ones.
#pragma once

#include <sched.h>

#include <string>
#include <string_view>
#include <vector>

#include "framework/core/status.h"

namespace sluice {

// One core as the kernel describes it.
struct Core {
  int number = 0;
  long capacity = 0;  // relative speed: cpu_capacity, else its highest frequency in kHz; 0: unknown
};

// The cores that this process may run on. `root` is replaced in tests.
std::vector<Core> read_cores(const std::string& root = "/sys/devices/system/cpu");

// The numbers of the cores that `choice` means: "all"; "big": those of the highest capacity; "auto": big
// where capacities differ, else all; or a list such as "0,4-7". kInvalid for another text or a core that is
// not there.
Result<std::vector<int>> choose_cores(std::string_view choice, const std::vector<Core>& cores);

// Keeps the threads that compute on some cores. The engine's own threads are bound when they are made; the
// thread that calls a run is one of ours, computes too, and serves other sessions as well.
class CoreBinding {
 public:
  // Binds to nothing.
  CoreBinding() { CPU_ZERO(&cores_); }
  explicit CoreBinding(const std::vector<int>& cores);
  // The calling thread runs on these cores from now on, or where it ran before its first binding when there
  // are none. A system call only when that changes anything. Any thread.
  void enter() const;

 private:
  cpu_set_t cores_;
};

}  // namespace sluice
