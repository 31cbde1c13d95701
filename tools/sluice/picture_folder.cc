#include "tools/sluice/picture_folder.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace sluice::cli {

namespace fs = std::filesystem;

namespace {

// Of every link: image_source passes over names with other endings, and tells kinds by their first bytes.
constexpr std::string_view kEnding = ".jpg";

}  // namespace

Result<TemporaryFolder> make_picture_folder(const std::vector<std::string>& paths) {
  SLUICE_ASSIGN(TemporaryFolder folder, TemporaryFolder::make("eval"));
  std::error_code error;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const fs::path link = fs::path(folder.path()) / fmt::format("{:08}{}", i, kEnding);
    const fs::path picture = fs::absolute(paths[i], error);
    if (!error) fs::create_symlink(picture, link, error);
    if (error) return failed("'" + link.string() + "' cannot be made: " + error.message());
  }
  return folder;
}

std::string with_own_names(std::string_view message, const std::string& folder,
                           const std::vector<std::string>& paths) {
  std::string out(message);
  const std::string start = folder + "/";
  for (std::size_t at = out.find(start); at != std::string::npos; at = out.find(start, at + 1)) {
    const std::size_t number_at = at + start.size();
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(out.data() + number_at, out.data() + out.size(), number);
    if (error != std::errc{} || number >= paths.size()) continue;
    const std::size_t length = static_cast<std::size_t>(end - out.data()) - at + kEnding.size();
    out.replace(at, length, paths[number]);
  }
  return out;
}

}  // namespace sluice::cli
