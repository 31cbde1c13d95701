#include "framework/spec/bytes.h"

#include <cstdint>
#include <string>

#include "framework/spec/line_index.h"

namespace sluice {
namespace {

// Bytes of the well-formed sequence that starts `text` (Unicode 15, table 3-7), 0 when there is none.
std::size_t utf8_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(i < text.size() ? text[i] : 0); };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const std::uint8_t first = byte(0), second = byte(1);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F)) return 0;
    return tail(1) && tail(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if ((first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) return 0;
    return tail(1) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

std::optional<std::size_t> first_control(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<std::uint8_t>(text[i]);
    if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7F) return i;
  }
  return std::nullopt;
}

std::string hex(char c) {
  constexpr char kDigits[] = "0123456789abcdef";
  const auto byte = static_cast<std::uint8_t>(c);
  return {'0', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
}

Issue issue_at(std::string_view text, std::size_t offset, std::string message) {
  return {LineIndex(text).mark_at(offset), std::move(message)};
}

}  // namespace

std::optional<std::size_t> first_invalid_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_sequence(text.substr(i, 4));
    if (length == 0) return i;
    i += length;
  }
  return std::nullopt;
}

std::optional<Issue> check_bytes(std::string_view text) {
  if (text.size() > kMaxSpecBytes) {
    return Issue{
        {1, 1},
        "the text has more than " + std::to_string(kMaxSpecBytes) + " bytes (256 KiB), the most allowed"};
  }
  if (const auto at = first_control(text)) {
    if (text[*at] == '\0') return issue_at(text, *at, "a NUL byte, which no pipeline file may contain");
    return issue_at(text, *at,
                    "the byte " + hex(text[*at]) + " is a control character, allowed: tab and line ends");
  }
  if (const auto at = first_invalid_utf8(text)) {
    return issue_at(text, *at,
                    "the byte " + hex(text[*at]) + " is not valid UTF-8, the only encoding allowed");
  }
  return std::nullopt;
}

}  // namespace sluice
