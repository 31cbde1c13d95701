// What was compiled and could not be kept: a warning for what only wants to run, a failure for a command
// whose result it is.
#pragma once

#include <string>
#include <vector>

namespace sluice {

// Why, as one sentence. A warning in the log, unless somebody collects them. Any thread.
void report_unkept(const std::string& why);

// Takes the reasons instead of the log, from every thread, until it is destroyed. One at a time.
class UnkeptCollector {
 public:
  UnkeptCollector();
  ~UnkeptCollector();
  UnkeptCollector(const UnkeptCollector&) = delete;
  UnkeptCollector& operator=(const UnkeptCollector&) = delete;
  std::vector<std::string> reasons() const;  // in order
};

}  // namespace sluice
