#include "framework/core/suggest.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "framework/core/redact.h"

namespace sluice {
namespace {

constexpr std::size_t kShown = 60;     // bytes of a value in a message
constexpr std::size_t kPath = 4096;    // PATH_MAX of Linux and Android
constexpr std::size_t kLongest = 100;  // words beyond this are no slips of a name of ours

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::vector<std::string_view> views(std::span<const std::string> names) {
  return {names.begin(), names.end()};
}

// `length`, moved back so that no UTF-8 sequence is cut.
std::size_t whole_characters(std::string_view text, std::size_t length) {
  while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
  return length;
}

std::string quoted(std::string_view raw, std::size_t shown) {
  constexpr char kHex[] = "0123456789abcdef";
  const std::string text = redact_url(raw);
  const bool cut = text.size() > shown;
  std::string out = "'";
  for (const char c : std::string_view(text).substr(0, cut ? whole_characters(text, shown) : text.size())) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7F) {
      out += c;
    } else {
      out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return out + (cut ? "...'" : "'");
}

}  // namespace

std::string in_quotes(std::string_view text) { return quoted(text, kShown); }

std::string path_in_quotes(std::string_view path) { return quoted(path, kPath); }

std::string comma_list(std::span<const std::string_view> names) {
  std::string out;
  for (const std::string_view name : names) {
    if (!out.empty()) out += ", ";
    out += name;
  }
  return out;
}

std::string comma_list(std::span<const std::string> names) { return comma_list(views(names)); }

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
      const bool swapped =
          i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]);
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  if (word.empty() || word.size() > kLongest) return {};
  std::size_t best = std::max<std::size_t>(1, word.size() / 3) + 1;
  std::string_view found;
  for (const std::string_view candidate : candidates) {
    const std::size_t gap =
        candidate.size() > word.size() ? candidate.size() - word.size() : word.size() - candidate.size();
    if (gap >= best) continue;
    const std::size_t distance = edit_distance(word, candidate);
    if (distance >= best || distance >= candidate.size()) continue;
    best = distance;
    found = candidate;
  }
  return found;
}

std::string_view nearest(std::string_view word, std::span<const std::string> candidates) {
  return nearest(word, views(candidates));
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates) {
  const std::string_view found = nearest(word, candidates);
  return found.empty() ? std::string{} : "; did you mean " + in_quotes(found) + "?";
}

std::string did_you_mean(std::string_view word, std::span<const std::string> candidates) {
  return did_you_mean(word, views(candidates));
}

std::string allowed(std::string_view word, std::span<const std::string_view> candidates) {
  return ", allowed: " + comma_list(candidates) + did_you_mean(word, candidates);
}

std::string allowed(std::string_view word, std::span<const std::string> candidates) {
  return allowed(word, views(candidates));
}

}  // namespace sluice
