// The one line that a run shows on a terminal.
#pragma once

#include <string>

#include "runtime/report.h"

namespace sluice::cli {

// "120 frames, 29.9 fps, latency p50 8.9 ms p95 11.2 ms, dropped 3"; what is not known is left out.
std::string progress_line(const RunReport& report);

// "face_detect: completed, 300 frames produced, 297 delivered, dropped 3 (stale 3), 29.9 fps, ..."
std::string summary_line(const RunReport& report);

// Rewrites its line in place on stderr when that is a terminal; else nothing is ever written.
class Progress {
 public:
  explicit Progress(bool quiet);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  bool active() const { return active_; }
  void show(const RunReport& report);

 private:
  bool active_;
  bool shown_ = false;
};

}  // namespace sluice::cli
