#include "tools/sluice/argument_checks.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "framework/core/suggest.h"

namespace sluice::cli {
namespace {

// "warn" for "warning": too far for a slip of the keyboard.
std::string near_miss(const std::string& text, const std::vector<std::string>& words) {
  const auto begins = [&text](const std::string& word) { return !text.empty() && word.starts_with(text); };
  if (std::ranges::count_if(words, begins) != 1) return did_you_mean(text, words);
  return "; did you mean " + in_quotes(*std::ranges::find_if(words, begins)) + "?";
}

}  // namespace

CLI::Validator one_of(std::vector<std::string> words) {
  const std::string description = "{" + comma_list(words) + "}";
  return {[words = std::move(words)](const std::string& text) {
            if (std::ranges::find(words, text) != words.end()) return std::string();
            return "is " + in_quotes(text) + ", allowed: " + comma_list(words) + near_miss(text, words);
          },
          description};
}

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
