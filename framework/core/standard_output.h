// Libraries that print to standard output while they are loaded must not end up between our results.
#pragma once

#include <mutex>
#include <shared_mutex>
#include <string>

namespace sluice {

// Whoever writes results to descriptor 1 while a graph may run holds this shared for the time of one write.
std::shared_mutex& standard_output_gate();

// While it lives, what is written to descriptor 1 is kept, up to a pipe's size (64 KiB; more is lost; without
// a free descriptor it goes to standard error), and nobody who asks the gate writes. Not for hot paths: one
// at a time, in the whole process.
class StandardOutputAside {
 public:
  StandardOutputAside();
  ~StandardOutputAside();
  StandardOutputAside(const StandardOutputAside&) = delete;
  StandardOutputAside& operator=(const StandardOutputAside&) = delete;

  // Ends it and gives what was written; empty when that was asked before or there is no standard output.
  std::string take();

 private:
  std::unique_lock<std::shared_mutex> lock_;
  int saved_ = -1;  // descriptor 1; -1: none, or given back
  int read_ = -1;
};

}  // namespace sluice
