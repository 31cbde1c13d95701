// What CLI11 lets pass and Sluice does not. Private to arguments.cc.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace sluice::cli {

// One of these words, else the error says which are allowed.
CLI::Validator one_of(std::vector<std::string> words);

// Each throws a CLI::ValidationError with what is wrong.
void refuse_beside_compare(const CLI::App& thermal);
void refuse_what_is_no_number(const CLI::App& command);
void refuse_what_is_empty(const CLI::App& command);

}  // namespace sluice::cli
