// A check for numbers on the command line: above 0.
#pragma once

#include <charconv>
#include <cmath>
#include <string>
#include <system_error>

#include <CLI/CLI.hpp>

namespace sluice::cli {

// CLI11's own names the smallest and the largest double, in hundreds of digits.
inline CLI::Validator above_zero() {
  return {[](std::string& text) -> std::string {
            double value = 0;
            const char* const end = text.data() + text.size();
            const auto read = std::from_chars(text.data(), end, value);
            const bool right = read.ec == std::errc() && read.ptr == end && value > 0 && std::isfinite(value);
            return right ? "" : "'" + text + "' is not a number above 0";
          },
          "ABOVE 0"};
}

}  // namespace sluice::cli
