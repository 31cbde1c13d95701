#include "tools/sluice/labels.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "framework/core/suggest.h"

namespace sluice::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kMaxBytes = 256u << 20;

bool is_picture(const fs::path& path) {
  constexpr std::array<std::string_view, 10> kEndings = {".jpg", ".jpeg", ".png", ".bmp", ".webp",
                                                         ".tif", ".tiff", ".ppm", ".pgm", ".pnm"};
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return std::find(kEndings.begin(), kEndings.end(), ending) != kEndings.end();
}

Status cannot_be_read(const std::error_code& error) { return invalid("cannot be read: " + error.message()); }

Result<std::vector<fs::path>> sorted_entries(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) out.push_back(entry->path());
  if (error) return cannot_be_read(error);
  std::sort(out.begin(), out.end());
  return out;
}

Result<LabelSet> read_folder(const std::string& path) {
  LabelSet out;
  out.classes = true;
  SLUICE_ASSIGN(const std::vector<fs::path> folders, sorted_entries(path));
  for (const fs::path& folder : folders) {
    std::error_code unknown;  // no folder, then
    if (!fs::is_directory(folder, unknown)) continue;
    const auto pictures = sorted_entries(folder);
    if (!pictures.ok())
      return pictures.status().with_context("folder " + path_in_quotes(folder.string()) + " ");
    for (const fs::path& picture : *pictures) {
      if (is_picture(picture)) out.pictures.push_back({picture.string(), {}, folder.filename().string()});
    }
  }
  return out;
}

Result<std::string> read_text(const std::string& path) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  if (error) return cannot_be_read(error);
  if (size > kMaxBytes) return invalid("has more than 256 MiB, the most allowed");
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

Result<LabelSet> read_any(const std::string& path) {
  std::error_code error;
  const fs::file_status place = fs::status(path, error);
  if (error) return cannot_be_read(error);
  if (fs::is_directory(place)) return read_folder(path);
  const std::string ending = fs::path(path).extension().string();
  if (ending != ".json" && ending != ".xml") {
    return invalid("is neither a folder nor COCO JSON (*.json) nor dlib XML (*.xml)");
  }
  SLUICE_ASSIGN(const std::string text, read_text(path));
  const std::string folder = fs::path(path).parent_path().string();
  return ending == ".json" ? parse_coco(text, folder) : parse_dlib(text, folder);
}

}  // namespace

Result<LabelSet> read_labels(const std::string& path) {
  const std::string place = "--labels " + path_in_quotes(path) + ": ";
  auto labels = read_any(path);
  if (!labels.ok()) return labels.status().with_context(place);
  if (labels->pictures.empty()) return invalid(place + "there is no picture in it");
  for (const LabelledPicture& picture : labels->pictures) {
    std::error_code unknown;
    if (!fs::is_regular_file(picture.path, unknown))
      return invalid(place + "the picture " + path_in_quotes(picture.path) + " is missing");
  }
  return labels;
}

}  // namespace sluice::cli
