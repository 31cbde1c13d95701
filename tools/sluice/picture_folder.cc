#include "tools/sluice/picture_folder.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

namespace sluice::cli {

namespace fs = std::filesystem;

Result<PictureFolder> PictureFolder::make(const std::vector<std::string>& paths) {
  std::error_code error;
  PictureFolder out;
  std::string name = (fs::temp_directory_path(error) / "sluice-eval-XXXXXX").string();
  if (error || !::mkdtemp(name.data())) {
    return failed("no temporary folder can be made: " + (error ? error.message() : std::strerror(errno)));
  }
  out.path_ = name;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const fs::path link = fs::path(name) / fmt::format("{:08}{}", i, fs::path(paths[i]).extension().string());
    fs::create_symlink(fs::absolute(paths[i]), link, error);
    if (error) return failed("'" + link.string() + "' cannot be made: " + error.message());
  }
  return out;
}

PictureFolder::PictureFolder(PictureFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}

PictureFolder& PictureFolder::operator=(PictureFolder&& other) noexcept {
  std::swap(path_, other.path_);
  return *this;
}

PictureFolder::~PictureFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

}  // namespace sluice::cli
