// `sluice run --record DIR`: readings once a second, what the selector was told and decided, and the report
// at the end.
#pragma once

#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>

#include "framework/core/status.h"
#include "runtime/report.h"
#include "runtime/snapshot.h"

namespace sluice::cli {

class Recording {
 public:
  Recording() = default;
  ~Recording();
  Recording(const Recording&) = delete;

  // What is written in a folder; empty paths without one.
  struct Files {
    std::string readings, report;
  };
  static Files files(const std::string& folder);

  // Makes the folder, and finds out whether a recording can be written there. kFailed: it cannot, or there is
  // one of its files already (`force`: they are replaced once the run has begun).
  Status open(const std::string& folder, bool force);
  // The run has begun: what there was goes, and lines are written from here on.
  void begin();
  void add(const RunSnapshot& snapshot);
  // A line of the selector's part. Any thread.
  void add_selection(const std::string& line);
  // Writes report.json, unless the run has not begun. kFailed: the disk could not take it all; how many lines
  // were lost.
  Status close(const RunReport& report);

 private:
  void write(const std::string& lines);  // under the lock

  std::string folder_;
  Files files_;
  std::mutex mutex_;  // guards what follows
  std::FILE* file_ = nullptr;
  bool begun_ = false;
  std::string early_;     // lines of a run that has not begun
  bool selects_ = false;  // it has lines of the selector
  std::uint64_t lost_ = 0;
};

}  // namespace sluice::cli
