// What rooms below the runtime say to the user while running. Never on the hot path; never a secret
// (redact_url).
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };

// Receives one line without a newline; called from any thread, must not throw.
using LogSink = void (*)(LogLevel level, std::string_view message);

// Where messages go from now on (the runtime sets its asynchronous logger); null: nowhere, which is the state
// at start.
void set_log_sink(LogSink sink);
// Any thread. Returns at once when there is no sink.
void log_message(LogLevel level, std::string_view message);

}  // namespace sluice
