#include "tools/sluice/rewrite_paths.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>

#include "framework/core/suggest.h"
#include "framework/spec/expand.h"
#include "framework/spec/yaml.h"

namespace sluice::cli {
namespace {

// Columns count characters, not bytes.
std::size_t offset_of(std::string_view text, Mark mark) {
  std::size_t at = 0;
  for (int line = 1; line < mark.line && at != std::string_view::npos; ++line) {
    at = text.find('\n', at);
    if (at != std::string_view::npos) ++at;
  }
  if (at == std::string_view::npos) return text.size();
  for (int column = 1; column < mark.column && at < text.size(); ++column) {
    ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
  }
  return std::min(at, text.size());
}

// Length of a quoted scalar with its quotes; 0: it does not end on this line.
std::size_t quoted_length(std::string_view line) {
  const char quote = line[0];
  for (std::size_t i = 1; i < line.size(); ++i) {
    if (quote == '"' && line[i] == '\\') {
      ++i;
    } else if (line[i] == quote) {
      if (quote == '"' || i + 1 == line.size() || line[i + 1] != quote) return i + 1;
      ++i;  // '' stands for one
    }
  }
  return 0;
}

std::size_t trimmed(std::string_view text) { return text.find_last_not_of(" \t\r") + 1; }

std::optional<std::string> variable(std::string_view name) {
  const char* const value = std::getenv(std::string(name).c_str());
  return value ? std::optional<std::string>(value) : std::nullopt;
}

// Where the braces of a ${NAME} that begins at `at` end; `at` when none does.
std::size_t variable_end(std::string_view line, std::size_t at) {
  if (!line.substr(at).starts_with("${")) return at;
  const std::size_t brace = line.find('}', at);
  return brace == std::string_view::npos ? at : brace;
}

// In block style a plain scalar ends with its line or a comment, in flow style also at , ] or }.
std::size_t plain_length(std::string_view line, std::string_view value) {
  line = line.substr(0, line.find(" #"));
  const std::size_t whole = trimmed(line);
  const auto expanded = expand(line.substr(0, whole), &variable);
  if (expanded.ok() && *expanded == value) return whole;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (std::string_view(",]}").find(line[i]) != std::string_view::npos) return trimmed(line.substr(0, i));
    i = variable_end(line, i);
  }
  return whole;
}

// As a YAML scalar that is read back as exactly this text.
std::string scalar_of(const std::string& text) {
  std::string escaped;
  for (const char c : text) escaped += c == '$' ? "$$" : std::string(1, c);
  return nlohmann::json(escaped).dump();
}

}  // namespace

Result<std::string> rewrite_paths(std::string_view text, std::vector<NewPath> paths) {
  std::string out(text);
  const auto before = [](const NewPath& a, const NewPath& b) {
    return std::pair(a.mark.line, a.mark.column) > std::pair(b.mark.line, b.mark.column);
  };
  const auto same = [](const NewPath& a, const NewPath& b) {
    return a.mark.line == b.mark.line && a.mark.column == b.mark.column;
  };
  std::stable_sort(paths.begin(), paths.end(), before);
  paths.erase(std::unique(paths.begin(), paths.end(), same), paths.end());  // an alias: written once
  for (const NewPath& path : paths) {
    const std::size_t at = offset_of(text, path.mark);
    const std::string_view line = text.substr(at, text.find('\n', at) - at);
    const bool quoted = line.starts_with('"') || line.starts_with('\'');
    const bool special = line.empty() || std::string_view("|>&!*").find(line[0]) != std::string_view::npos;
    const std::size_t length = special ? 0 : quoted ? quoted_length(line) : plain_length(line, path.from);
    if (length == 0)
      return invalid(std::to_string(path.mark.line) + ":" + std::to_string(path.mark.column) +
                     ": error: the path " + path_in_quotes(path.from) +
                     " cannot be replaced here; write it in quotes on one line");
    out.replace(at, length, scalar_of(path.to));
  }
  return out;
}

std::string with_name(std::string_view text, const std::string& name) {
  const YamlResult yaml = read_yaml(text, nullptr);
  std::string out(text);
  const Value::Map* const keys = yaml.value ? yaml.value->map() : nullptr;
  if (!keys || keys->empty() || yaml.value->find("name")) return out;
  const Mark first = keys->front().key_mark;
  const std::string entry = "name: " + scalar_of(name);
  const bool in_braces = yaml.value->mark.line != first.line || yaml.value->mark.column != first.column;
  const std::string rest =
      in_braces ? ", " : "\n" + std::string(static_cast<std::size_t>(first.column - 1), ' ');
  return out.insert(offset_of(text, first), entry + rest);
}

}  // namespace sluice::cli
