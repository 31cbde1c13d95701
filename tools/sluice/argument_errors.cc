#include "tools/sluice/argument_errors.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "framework/core/suggest.h"

namespace sluice::cli {
namespace {

// Of `sluice run`, which a later version has.
constexpr std::array<std::string_view, 3> kPlanned = {"--serve", "--serve-token-file", "--record-inputs"};

std::vector<std::string> commands(const CLI::App& app) {
  std::vector<std::string> out;
  for (const CLI::App* command : app.get_subcommands(nullptr)) out.push_back(command->get_name());
  return out;
}

std::vector<std::string> names_of(const CLI::App& command, bool positional) {
  std::vector<std::string> out;
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_positional() == positional) out.push_back(option->get_name());
  }
  return out;
}

bool is_option(std::string_view word) { return word.size() > 1 && word.front() == '-' && word != "--"; }

std::string unknown_option(const CLI::App& command, std::string_view word) {
  const std::string_view name = word.substr(0, word.find('='));
  if (command.get_name() == "run" && std::ranges::find(kPlanned, name) != kPlanned.end())
    return "option " + in_quotes(name) + " is not in this version";
  const std::vector<std::string> names = names_of(command, false);
  constexpr std::size_t kLetter = 2;  // any other letter is near to it
  return "unknown option " + in_quotes(name) + ", allowed: " + comma_list(names) +
         (name.size() > kLetter ? did_you_mean(name, names) : "");
}

// The words that nothing of `command` took: the options among them, else the first word; the rest may be
// their values.
void add_unexpected(const CLI::App& command, std::string_view place, std::string& lines) {
  const std::vector<std::string> words = command.remaining();
  const auto add = [&](const std::string& line) {
    lines.append(lines.empty() ? "" : "\n").append(place).append(line);
  };
  for (const std::string& word : words) {
    if (is_option(word)) add(unknown_option(command, word));
  }
  const auto extra = std::ranges::find_if(words, [](const std::string& word) { return word != "--"; });
  if (extra == words.end() || std::ranges::any_of(words, is_option)) return;
  std::vector<std::string> names = names_of(command, true);
  names.emplace_back("options");
  add("unexpected word " + in_quotes(*extra) + ", allowed: " + comma_list(names));
}

}  // namespace

std::string why_refused(const CLI::App& app, int argc, const char* const* argv,
                        const CLI::ParseError& error) {
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  if (chosen.empty() && argc > 1 && !is_option(argv[1]))
    return "there is no command " + in_quotes(argv[1]) + allowed(argv[1], commands(app));
  std::string lines;
  add_unexpected(app, "", lines);
  for (const CLI::App* command : chosen) add_unexpected(*command, command->get_name() + ": ", lines);
  if (!lines.empty()) return lines;
  if (chosen.empty()) return "a command is missing, allowed: " + comma_list(commands(app));
  const std::string& name = chosen.front()->get_name();
  return name + ": " + error.what() + "; sluice " + name + " --help tells more";
}

}  // namespace sluice::cli
