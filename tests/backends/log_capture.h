// Collects what is logged while it lives. One at a time.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "framework/core/log.h"

namespace sluice::testing {

class LogCapture {
 public:
  LogCapture() {
    std::lock_guard lock(mutex());
    lines().clear();
    set_log_sink(add);
  }
  ~LogCapture() { set_log_sink(nullptr); }
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  static std::vector<std::string> warnings() {
    std::lock_guard lock(mutex());
    return lines();
  }

 private:
  static std::mutex& mutex() {
    static std::mutex instance;
    return instance;
  }
  static std::vector<std::string>& lines() {
    static std::vector<std::string> instance;
    return instance;
  }
  static void add(LogLevel level, std::string_view message) {
    if (level < LogLevel::kWarning) return;
    std::lock_guard lock(mutex());
    lines().emplace_back(message);
  }
};

}  // namespace sluice::testing
