#include "tools/sluice/argument_checks.h"

#include <charconv>
#include <cmath>
#include <string>
#include <vector>

#include "framework/core/suggest.h"

namespace sluice::cli {

// Nothing runs for `--compare`: what tells how to run, or judges a run, would have no effect.
void refuse_beside_compare(const CLI::App& thermal) {
  std::vector<std::string> without_effect;
  for (const CLI::Option* option : thermal.get_options()) {
    const std::string name = option->get_name();
    if (option->count() == 0 || name == "--compare" || name == "--report" || name == "--quiet") continue;
    without_effect.push_back(name);
  }
  if (!without_effect.empty())
    throw CLI::ValidationError("--compare",
                               "runs nothing, so " + comma_list(without_effect) +
                                   " would have no effect; allowed beside it: --report, --quiet");
}

// CLI11 reads "nan" and "inf" as numbers, and a range does not hold nan: a threshold of nan would never be
// missed.
void refuse_what_is_no_number(const CLI::App& command) {
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_type_name().starts_with("FLOAT")) continue;
    for (const std::string& text : option->results()) {
      double value = 0;
      std::from_chars(text.data(), text.data() + text.size(), value);
      if (!std::isfinite(value))
        throw CLI::ValidationError(option->get_name(), "'" + text + "' is no number");
    }
  }
}

// Of a script's variable that is not set, most likely: the result would be missing, and nobody told.
void refuse_what_is_empty(const CLI::App& command) {
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& text : option->results()) {
      if (text.empty())
        throw CLI::ValidationError(option->get_name(), "is empty; give it a value, or leave it out");
    }
  }
}

}  // namespace sluice::cli
