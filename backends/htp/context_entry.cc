#include "backends/htp/context_entry.h"

#include <charconv>
#include <optional>

namespace sluice::htp {
namespace {

// Lines "operators TOTAL ON_BACKEND", "elsewhere COUNT PLACE", "reason TEXT", an empty one, then the model.
std::string one_line(std::string text) {
  for (char& c : text)
    if (c == '\n') c = ' ';
  return text;
}

// The number at the front of `text`, which moves behind it and one space.
std::optional<int> take_number(std::string_view& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || value < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.starts_with(' ')) text.remove_prefix(1);
  return value;
}

bool take_word(std::string_view& line, std::string_view word) {
  if (!line.starts_with(word)) return false;
  line.remove_prefix(word.size());
  return true;
}

bool read_line(std::string_view line, Placement& out) {
  if (take_word(line, "operators ")) {
    const auto total = take_number(line), here = take_number(line);
    out.total = total.value_or(0);
    out.on_backend = here.value_or(0);
    return total && here;
  }
  if (take_word(line, "elsewhere ")) {
    const auto count = take_number(line);
    out.elsewhere[std::string(line)] = count.value_or(0);
    return count.has_value();
  }
  if (!take_word(line, "reason ")) return false;
  out.reasons.emplace_back(line);
  return true;
}

}  // namespace

std::string pack_entry(const ContextEntry& entry) {
  const Placement& p = entry.placement;
  std::string out = "operators " + std::to_string(p.total) + " " + std::to_string(p.on_backend) + "\n";
  for (const auto& [place, count] : p.elsewhere)
    out += "elsewhere " + std::to_string(count) + " " + one_line(place) + "\n";
  for (const std::string& reason : p.reasons) out += "reason " + one_line(reason) + "\n";
  return out + "\n" + entry.model;
}

Result<ContextEntry> unpack_entry(std::string_view bytes) {
  ContextEntry out;
  for (;;) {
    const std::size_t end = bytes.find('\n');
    if (end == std::string_view::npos) break;
    const std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(end + 1);
    if (line.empty()) {
      out.model = bytes;
      return out;
    }
    if (!read_line(line, out.placement)) break;
  }
  return invalid("does not begin with the placement of its operators");
}

}  // namespace sluice::htp
