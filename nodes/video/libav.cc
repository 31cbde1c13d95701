#include "nodes/video/libav.h"

#include <fmt/format.h>

#include <array>
#include <cstdarg>
#include <mutex>

#include "framework/core/log.h"
#include "framework/core/redact.h"

namespace sluice {
namespace {

constexpr int kLineSize = 256;
thread_local std::array<char, kLineSize> last_line{};

void receive_log(void* object, int level, const char* format, va_list arguments) {
  if (level > AV_LOG_ERROR) return;
  int print_prefix = 0;
  av_log_format_line2(object, level, format, arguments, last_line.data(), kLineSize, &print_prefix);
  std::string_view line(last_line.data());
  while (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  last_line[line.size()] = '\0';
  log_message(LogLevel::kDebug, fmt::format("ffmpeg: {}", redact_url(line)));
}

}  // namespace

void install_libav_log() {
  static std::once_flag once;
  std::call_once(once, [] {
    av_log_set_level(AV_LOG_ERROR);
    av_log_set_callback(receive_log);
  });
}

void forget_libav_log() { last_line[0] = '\0'; }

std::string libav_error(int error) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
  av_strerror(error, text.data(), text.size());
  if (last_line[0] == '\0') return text.data();
  return fmt::format("{} ({})", text.data(), redact_url(last_line.data()));
}

}  // namespace sluice
