// A check for numbers on the command line: above 0.
#pragma once

#include <cmath>
#include <string>

#include <CLI/CLI.hpp>

namespace sluice::cli {

// CLI11's own names the smallest and the largest double, in hundreds of digits.
inline CLI::Validator above_zero() {
  return {[](std::string& text) -> std::string {
            double value = 0;
            const bool number = CLI::detail::lexical_cast(text, value);
            return number && value > 0 && std::isfinite(value) ? ""
                                                               : "'" + text + "' is not a number above 0";
          },
          "ABOVE 0"};
}

}  // namespace sluice::cli
