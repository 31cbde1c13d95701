// What is said of a command line that is refused, in the words of all our messages: CLI11's own name neither
// what is allowed nor a near miss, and call the last word first. Private to arguments.cc.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

namespace sluice::cli {

// One line for each thing that is wrong. `app` has parsed the words and thrown `error`.
std::string why_refused(const CLI::App& app, int argc, const char* const* argv, const CLI::ParseError& error);

}  // namespace sluice::cli
