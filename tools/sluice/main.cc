#include <csignal>
#include <exception>
#include <variant>

#include "tools/sluice/arguments.h"
#include "tools/sluice/commands.h"
#include "tools/sluice/output.h"

int main(int argc, char** argv) {
  namespace cli = sluice::cli;
  // A reader of stdout that went away is a failed write, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    const auto parsed = cli::parse_arguments(argc, argv);
    if (const int* const code = std::get_if<int>(&parsed)) return *code;
    return std::visit([](const auto& arguments) { return cli::execute(arguments); },
                      std::get<cli::Arguments>(parsed));
  } catch (const std::exception& error) {
    cli::print_error(error.what());
    return cli::kRunFailed;
  }
}
