#include "tools/sluice/picture_folder.h"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

namespace sluice::cli {

namespace fs = std::filesystem;

Result<TemporaryFolder> make_picture_folder(const std::vector<std::string>& paths) {
  SLUICE_ASSIGN(TemporaryFolder folder, TemporaryFolder::make("eval"));
  std::error_code error;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const fs::path link =
        fs::path(folder.path()) / fmt::format("{:08}{}", i, fs::path(paths[i]).extension().string());
    fs::create_symlink(fs::absolute(paths[i]), link, error);
    if (error) return failed("'" + link.string() + "' cannot be made: " + error.message());
  }
  return folder;
}

}  // namespace sluice::cli
