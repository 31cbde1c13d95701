// Libraries that print to standard output while they are loaded must not end up between our results.
#pragma once

#include <mutex>
#include <shared_mutex>

namespace sluice {

// Whoever writes results to descriptor 1 while a graph may run holds this shared for the time of one write.
std::shared_mutex& standard_output_gate();

// While it lives descriptor 1 leads to descriptor 2, and nobody who asks the gate writes. Not for hot paths:
// one at a time, in the whole process.
class StandardOutputAside {
 public:
  StandardOutputAside();
  ~StandardOutputAside();
  StandardOutputAside(const StandardOutputAside&) = delete;
  StandardOutputAside& operator=(const StandardOutputAside&) = delete;

 private:
  std::unique_lock<std::shared_mutex> lock_;
  int saved_;  // -1: there is no standard output
};

}  // namespace sluice
