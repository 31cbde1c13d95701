// Where messages of the rooms go while a program runs: asynchronous, rate-limited, without passwords.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "framework/core/log.h"
#include "framework/core/status.h"

namespace sluice {

std::optional<LogLevel> parse_log_level(std::string_view name);  // debug, info, warning, error

struct LoggingOptions {
  LogLevel level = LogLevel::kInfo;  // least that is written
  std::string file;                  // empty: stderr
  std::size_t queue = 1024;          // lines that may wait to be written; at least 1
  // How a message is written instead, if at all; called by any thread, outlives the log.
  std::function<std::string(std::string_view)> rewrite = nullptr;
};

// Installs the process's log sink for as long as it lives; at most one at a time. Callers of log_message
// never wait: a thread of its own writes, and when it cannot keep up the oldest lines go. Of each level at
// most 20 lines per second are written. Both losses are counted and said, the rest of them at the end. What
// was taken is written before the destructor returns.
class Logging {
 public:
  // kFailed: the file cannot be opened.
  static Result<std::unique_ptr<Logging>> start(const LoggingOptions& options);
  ~Logging();  // as `close`, and says nothing
  // Writes what was taken and ends: later messages go nowhere. kFailed: the file did not take all, with the
  // first reason.
  Status close();
  Logging(const Logging&) = delete;
  Logging& operator=(const Logging&) = delete;

 private:
  Logging() = default;
  bool closed_ = false;
};

}  // namespace sluice
