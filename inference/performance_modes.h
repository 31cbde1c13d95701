// Sessions whose performance mode may change between runs implement this besides Session.
#pragma once

#include <string>

#include "framework/core/status.h"

namespace sluice {

class PerformanceModes {
 public:
  virtual ~PerformanceModes() = default;
  // The mode that runs vote for from now on, for all who use the session. Thread-safe.
  virtual Status set_performance_mode(const std::string& mode) = 0;
};

}  // namespace sluice
