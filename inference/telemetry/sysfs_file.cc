#include "inference/telemetry/sysfs_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>

namespace sluice {
namespace {

// -1 when it cannot be read. Never blocks on something that is no file.
ssize_t read_into(const std::string& path, char* data, std::size_t size) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return -1;
  const ssize_t got = ::read(fd, data, size);
  ::close(fd);
  return got;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Digits at the end count as a number: zone2 before zone10.
std::pair<std::string_view, long> split_number(std::string_view name) {
  std::size_t end = name.size();
  while (end > 0 && is_digit(name[end - 1])) --end;
  long number = -1;
  std::from_chars(name.data() + end, name.data() + name.size(), number);
  return {name.substr(0, end), number};
}

}  // namespace

std::optional<double> read_number(const std::string& path) {
  std::array<char, 64> text;
  const ssize_t got = read_into(path, text.data(), text.size());
  if (got <= 0) return std::nullopt;
  const char* const end = text.data() + got;
  const char* const begin = std::find_if_not(text.cbegin(), end, [](char c) { return c == ' '; });
  double value = 0;
  const auto result = std::from_chars(begin, end, value);
  return result.ec == std::errc{} ? std::optional(value) : std::nullopt;
}

std::string_view read_text(const std::string& path, std::string& buffer) {
  const ssize_t got = read_into(path, buffer.data(), buffer.size());
  return {buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
}

std::string read_line(const std::string& path) {
  std::string buffer(256, '\0');
  const std::string_view text = read_text(path, buffer);
  return std::string(text.substr(0, text.find('\n')));
}

std::vector<std::string> list_folder(const std::string& folder, std::string_view prefix) {
  std::vector<std::string> out;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().filename().string().starts_with(prefix)) out.push_back(entry.path().string());
  }
  std::sort(out.begin(), out.end(),
            [](const std::string& a, const std::string& b) { return split_number(a) < split_number(b); });
  return out;
}

std::string base_name(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

}  // namespace sluice
