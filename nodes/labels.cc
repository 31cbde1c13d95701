#include "nodes/labels.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "nodes/json/json_text.h"

namespace sluice {
namespace {

constexpr std::streamsize kMaxBytes = 1 << 20;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";  // some editors begin UTF-8 with it

Result<std::string> read_file(const std::string& path) {
  std::error_code unknown;
  if (std::filesystem::is_fifo(path, unknown))  // may never end
    return invalid(fmt::format("option 'labels': '{}' is a pipe, must be a file", path));
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text(static_cast<std::size_t>(kMaxBytes) + 1, '\0');
  file.read(text.data(), kMaxBytes + 1);
  if (!file.is_open() || file.bad()) {
    return invalid(fmt::format("option 'labels': cannot read '{}': {}", path, std::strerror(errno)));
  }
  if (file.gcount() > kMaxBytes) {
    return invalid(fmt::format("option 'labels': '{}' has more than 1 MiB, a list of names has less", path));
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  return text;
}

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = text.find('\n', at);
    if (end == std::string::npos) end = text.size();
    std::string line = text.substr(at, end - at);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(std::move(line));
    at = end + 1;
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

}  // namespace

OptionDeclaration& declare_labels(NodeDeclaration& node) {
  node.check_options = [](const Options& options, const RefuseOption& refuse) {
    if (!options.has("labels")) return;
    if (const auto labels = read_labels(options); !labels.ok()) refuse("labels", labels.status());
  };
  return node.option("labels", OptionKind::kTextsOrPath)
      .help("The names of the classes: a list, or a text file with one name per line.");
}

Result<std::vector<std::string>> read_labels(const Options& options) {
  const OptionValue& value = options.value("labels");
  const auto* path = std::get_if<std::string>(&value.data);
  if (!path) return options.texts("labels");
  SLUICE_ASSIGN(const std::string text, read_file(*path));
  std::vector<std::string> names = split_lines(text);
  if (names.empty()) return invalid(fmt::format("option 'labels': '{}' holds no names", *path));
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!is_utf8(names[i])) {
      return invalid(fmt::format("option 'labels': line {} of '{}' is not UTF-8 text", i + 1, *path));
    }
  }
  return names;
}

}  // namespace sluice
