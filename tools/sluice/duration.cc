#include "tools/sluice/duration.h"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace sluice::cli {

std::optional<double> parse_duration(std::string_view text, bool zero) {
  constexpr std::array<std::pair<std::string_view, double>, 5> kUnits = {
      {{"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}, {"", 1}}};
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (error != std::errc{} || !std::isfinite(number) || number < 0 || (number == 0 && !zero))
    return std::nullopt;
  for (const auto& [unit, seconds] : kUnits) {
    if (std::string_view(stop, static_cast<std::size_t>(end - stop)) == unit) return number * seconds;
  }
  return std::nullopt;
}

}  // namespace sluice::cli
