#include "nodes/picture_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

namespace sluice {
namespace {

constexpr std::string_view kFrame = "{frame}";
constexpr std::string_view kSource = "{source}";

bool has_extension(std::string_view path, std::string_view extension) {
  return path.size() > extension.size() && path.substr(path.size() - extension.size()) == extension;
}

}  // namespace

Result<PictureName> PictureName::parse(std::string_view path) {
  PictureName name;
  name.pattern_ = path;
  std::error_code error;
  if (!path.empty() && (path.back() == '/' || std::filesystem::is_directory(name.pattern_, error))) {
    name.pattern_ = (std::filesystem::path(path) / "{source}_{frame}.jpg").string();
  }
  const std::string_view pattern = name.pattern_;
  if (!has_extension(pattern, ".jpg") && !has_extension(pattern, ".jpeg") && !name.png()) {
    return invalid(fmt::format(
        "option 'path' is '{}', allowed: a folder (ends in '/' or exists), or a name that ends in "
        ".jpg, .jpeg or .png",
        path));
  }
  for (std::size_t at = pattern.find('{'); at != std::string_view::npos; at = pattern.find('{', at + 1)) {
    const std::string_view rest = pattern.substr(at);
    if (rest.substr(0, kFrame.size()) == kFrame || rest.substr(0, kSource.size()) == kSource) continue;
    return invalid(fmt::format("option 'path' is '{}': '{}' is unknown, allowed: {{frame}}, {{source}}", path,
                               rest.substr(0, rest.find('}') + 1)));
  }
  return name;
}

void PictureName::expand(std::string_view source, std::uint64_t frame, std::string& out) const {
  out.clear();
  std::string_view rest = pattern_;
  while (!rest.empty()) {
    const std::size_t brace = std::min(rest.find('{'), rest.size());
    out += rest.substr(0, brace);
    rest.remove_prefix(brace);
    if (rest.empty()) break;
    const bool is_frame = rest.substr(0, kFrame.size()) == kFrame;
    if (is_frame) {
      fmt::format_to(std::back_inserter(out), "{:06}", frame);
    } else {
      out += source;
    }
    rest.remove_prefix(is_frame ? kFrame.size() : kSource.size());
  }
}

// Whether a frame of the source has that name: tries each length of its number, for a literal digit may
// follow.
bool PictureName::names(std::string_view source, std::string_view path) const {
  constexpr std::size_t kMostDigits = 19;  // of a 64-bit number
  PictureName before;
  before.pattern_ = pattern_.substr(0, pattern_.find(kFrame));
  std::string name;
  before.expand(source, 0, name);
  if (!path.starts_with(name)) return false;
  const std::string_view rest = path.substr(name.size());
  const std::size_t digits = std::min({rest.find_first_not_of("0123456789"), rest.size(), kMostDigits});
  for (std::size_t length = 1; length <= digits; ++length) {
    expand(source, std::stoull(std::string(rest.substr(0, length))), name);
    if (name == path) return true;
  }
  return false;
}

std::string PictureName::existing(std::string_view source) const {
  std::error_code error;
  std::string first;
  expand(source, 0, first);
  if (std::filesystem::exists(first, error)) return first;
  PictureName inside;
  inside.pattern_ = std::filesystem::path(pattern_).filename().string();
  const std::filesystem::path folder = std::filesystem::path(first).parent_path();
  first.clear();
  std::filesystem::directory_iterator entry(folder.empty() ? "." : folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (inside.names(source, name) && (first.empty() || name < first)) first = name;
  }
  return first.empty() ? first : (folder / first).string();
}

bool PictureName::has_frame() const { return pattern_.find(kFrame) != std::string::npos; }
bool PictureName::has_source() const { return pattern_.find(kSource) != std::string::npos; }
bool PictureName::png() const { return has_extension(pattern_, ".png"); }

}  // namespace sluice
