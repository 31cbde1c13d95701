#include "framework/core/log.h"

#include <atomic>

namespace sluice {
namespace {
std::atomic<LogSink> current_sink{nullptr};
}

void set_log_sink(LogSink sink) { current_sink.store(sink, std::memory_order_release); }

void log_message(LogLevel level, std::string_view message) {
  if (const LogSink sink = current_sink.load(std::memory_order_acquire)) sink(level, message);
}

}  // namespace sluice
