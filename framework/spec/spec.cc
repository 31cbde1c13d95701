#include "framework/spec/spec.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "framework/core/suggest.h"
#include "framework/spec/bytes.h"
#include "framework/spec/read.h"
#include "framework/spec/scalar.h"
#include "framework/spec/yaml.h"

namespace sluice {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> process_environment(std::string_view name) {
  const char* const value = std::getenv(std::string(name).c_str());
  return value ? std::optional<std::string>(value) : std::nullopt;
}

// Reads at most one byte more than is allowed, so that /dev/zero ends too.
Result<std::string> read_file(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return invalid("is a directory, must be a pipeline file");
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::string text(kMaxSpecBytes + 1, '\0');
  if (in) in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in.is_open() || in.bad())
    return invalid(std::string("cannot be read: ") + std::strerror(errno ? errno : EIO));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

// The fewest digits that read back as the same number.
std::string shortest(double number) {
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  std::string text(digits.data(), end);
  // 1.0 is no whole number: where one is wanted, "1" would be no reason.
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

void sort_by_place(Issues& issues) {
  std::stable_sort(issues.begin(), issues.end(), [](const Issue& a, const Issue& b) {
    return std::pair(a.mark.line, a.mark.column) < std::pair(b.mark.line, b.mark.column);
  });
}

}  // namespace

const Value* Value::find(std::string_view key) const {
  const Map* const entries = map();
  if (!entries) return nullptr;
  const auto at =
      std::find_if(entries->begin(), entries->end(), [&](const Entry& e) { return e.key == key; });
  return at == entries->end() ? nullptr : &at->value;
}

std::string describe(const Value& value) {
  if (value.list()) return "a list";
  if (value.map()) return "a map";
  if (const auto* text = value.text())
    return text->empty() ? "an empty text" : "the text " + in_quotes(*text);
  if (const auto* flag = std::get_if<bool>(&value.data)) return *flag ? "true" : "false";
  if (const auto* whole = std::get_if<std::int64_t>(&value.data)) return std::to_string(*whole);
  if (const auto* number = std::get_if<double>(&value.data)) return shortest(*number);
  return "empty";
}

std::string format(std::string_view file, const Issue& issue) {
  std::string out(file);
  if (issue.mark.line > 0)
    out += ":" + std::to_string(issue.mark.line) + ":" + std::to_string(issue.mark.column);
  return out + (issue.warning ? ": warning: " : ": error: ") + issue.message;
}

bool ParsedSpec::ok() const {
  return std::all_of(issues.begin(), issues.end(), [](const Issue& issue) { return issue.warning; });
}

namespace {

// A value that could not be read is no text that stands in a wrong place: the first `said` errors are enough.
void forget_consequences(Issues& issues, std::size_t said) {
  const auto first = issues.begin(), read = first + static_cast<std::ptrdiff_t>(said);
  const auto consequence = [&](const Issue& issue) {
    return std::any_of(first, read, [&](const Issue& cause) {
      return cause.mark.line == issue.mark.line && cause.mark.column == issue.mark.column;
    });
  };
  issues.erase(std::remove_if(read, issues.end(), consequence), issues.end());
}

}  // namespace

ParsedSpec parse_spec_text(std::string_view text, std::string file, std::string directory,
                           Environment environment) {
  ParsedSpec parsed;
  parsed.spec.name = "pipeline";
  if (const std::string stem = fs::path(file).stem().string(); file != "<text>" && !stem.empty())
    parsed.spec.name = stem;
  parsed.spec.file = std::move(file);
  parsed.spec.directory = std::move(directory);
  YamlResult yaml = read_yaml(text, environment ? environment : &process_environment);
  parsed.issues = std::move(yaml.issues);
  if (yaml.value && !yaml.value->is_null()) {
    const std::size_t said = parsed.issues.size();
    read_graph(*yaml.value, parsed.spec, parsed.issues);
    forget_consequences(parsed.issues, said);
  } else if (parsed.issues.empty()) {
    parsed.issues.push_back(
        {{1, 1}, "there is nothing in it; a pipeline file is a map with 'version' and 'nodes'"});
  }
  sort_by_place(parsed.issues);
  return parsed;
}

ParsedSpec parse_spec_file(const std::string& path, Environment environment) {
  const fs::path parent = fs::path(path).parent_path();
  Result<std::string> text = read_file(path);
  if (text.ok()) return parse_spec_text(*text, path, parent.empty() ? "." : parent.string(), environment);
  ParsedSpec parsed;
  parsed.spec.file = path;
  parsed.issues.push_back({{}, text.status().message()});
  return parsed;
}

Result<Value> parse_value(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  const std::size_t last = text.find_last_not_of(" \t\r\n");
  text = first == std::string_view::npos ? std::string_view{} : text.substr(first, last - first + 1);
  const bool structured = !text.empty() && std::string_view("[{'\"").find(text[0]) != std::string_view::npos;
  if (!structured) {
    if (const auto issue = check_bytes(text)) return invalid(issue->message);
    return resolve_scalar(text, {1, 1});
  }
  YamlResult yaml = read_yaml(text, nullptr);
  if (yaml.issues.empty() && yaml.value) return *std::move(yaml.value);
  std::string message;
  for (const Issue& issue : yaml.issues) message += (message.empty() ? "" : "; ") + issue.message;
  return invalid(message.empty() ? "cannot be read as YAML" : message);
}

}  // namespace sluice
