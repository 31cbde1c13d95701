#include "framework/plan/output_name.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <vector>

namespace sluice::planning {
namespace {

constexpr std::string_view kFrame = "{frame}";
constexpr std::string_view kSource = "{source}";
constexpr int kLeastDigits = 6;

// One character of a name, or any digit; the last digit of a frame number may come again and again.
struct Symbol {
  char character = 0;  // 0: any digit
  bool again = false;
};

std::vector<Symbol> symbols_of(std::string_view names) {
  std::vector<Symbol> out;
  while (!names.empty()) {
    if (names.starts_with(kFrame)) {
      for (int i = 1; i <= kLeastDigits; ++i) out.push_back({0, i == kLeastDigits});
      names.remove_prefix(kFrame.size());
    } else {
      out.push_back({names.front(), false});
      names.remove_prefix(1);
    }
  }
  return out;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool fit(const Symbol& a, const Symbol& b) {
  if (a.character != 0 && b.character != 0) return a.character == b.character;
  return (a.character == 0 || is_digit(a.character)) && (b.character == 0 || is_digit(b.character));
}

}  // namespace

std::string output_names(std::string_view path, std::string_view source) {
  std::string out(path);
  std::error_code error;
  if (out.ends_with('/') || std::filesystem::is_directory(out, error))
    out = (std::filesystem::path(out) / "{source}_{frame}.jpg").string();
  for (std::size_t at = 0; (at = out.find(kSource, at)) != std::string::npos; at += source.size())
    out.replace(at, kSource.size(), source);
  return out;
}

// Walks both at once: meet[j] says whether a[0..i) and b[0..j) can be the same text.
bool can_meet(std::string_view names, std::string_view others) {
  const std::vector<Symbol> a = symbols_of(names);
  const std::vector<Symbol> b = symbols_of(others);
  std::vector<std::vector<char>> meet(a.size() + 1, std::vector<char>(b.size() + 1, 0));
  meet[0][0] = 1;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool reached = meet[i - 1][j - 1] != 0 || (a[i - 1].again && meet[i][j - 1] != 0) ||
                           (b[j - 1].again && meet[i - 1][j] != 0);
      meet[i][j] = reached && fit(a[i - 1], b[j - 1]) ? 1 : 0;
    }
  }
  return meet[a.size()][b.size()] != 0;
}

}  // namespace sluice::planning
