#include "tools/sluice/plain_secrets.h"

#include <algorithm>
#include <string>

#include "framework/core/redact.h"

namespace sluice::cli {
namespace {

// What is left of a line when its variables are empty or have their defaults.
std::string without_variables(std::string_view line) {
  std::string out;
  for (std::size_t begin = line.find("${"); begin != std::string_view::npos; begin = line.find("${")) {
    const std::size_t end = line.find('}', begin);
    if (end == std::string_view::npos) break;
    const std::string_view variable = line.substr(begin, end - begin);
    const std::size_t fallback = variable.find(":-");
    out += line.substr(0, begin);
    if (fallback != std::string_view::npos) out += variable.substr(fallback + 2);
    line.remove_prefix(end + 1);
  }
  return out += line;
}

}  // namespace

Issues plain_secrets(std::string_view pipeline) {
  Issues out;
  for (int number = 1; !pipeline.empty(); ++number) {
    const std::string_view line = pipeline.substr(0, pipeline.find('\n'));
    pipeline.remove_prefix(std::min(line.size() + 1, pipeline.size()));
    const std::string written = without_variables(line);
    if (redact_url(written) == written) continue;
    const int column = static_cast<int>(line.find_first_not_of(' ')) + 1;
    out.push_back(
        {{number, column},
         "a password is written here, and so in the package: write ${NAME} in its place and set that "
         "variable where the package runs",
         Code::kInvalid,
         true});
  }
  return out;
}

}  // namespace sluice::cli
