#include "tools/sluice/copied_files.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

#include "framework/core/suggest.h"
#include "framework/core/temporary_folder.h"
#include "runtime/atomic_file.h"

namespace sluice::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kChunk = std::size_t{1} << 20;

Status unreadable(const fs::path& from, const std::string& why) {
  return failed(path_in_quotes(from.string()) + " cannot be read: " + why);
}

Status copy_one(const fs::path& from, const fs::path& to) {
  std::error_code error;
  if (fs::exists(from, error) && !fs::is_regular_file(from, error))
    return unreadable(from, "no regular file");
  errno = 0;
  std::ifstream in(from, std::ios::binary);
  if (!in) return unreadable(from, std::strerror(errno));
  error = make_folders(to.parent_path());
  if (error) return failed(path_in_quotes(to.parent_path().string()) + " cannot be made: " + error.message());
  SLUICE_ASSIGN(FileReplacement out, FileReplacement::open(to.string()));
  std::vector<char> chunk(kChunk);
  while (in) {
    errno = 0;
    in.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    if (in.bad()) return unreadable(from, std::strerror(errno));
    SLUICE_RETURN_IF_ERROR(out.write({chunk.data(), static_cast<std::size_t>(in.gcount())})
                               .with_context(path_in_quotes(from.string()) + " cannot be copied: "));
  }
  return out.commit().with_context(path_in_quotes(from.string()) + " cannot be copied: ");
}

}  // namespace

Status copy_files(const fs::path& from, const fs::path& to) {
  std::error_code error;
  if (!fs::is_directory(from, error)) return copy_one(from, to);
  error = make_folders(to);
  if (error) return failed(path_in_quotes(to.string()) + " cannot be made: " + error.message());
  fs::directory_iterator entries(from, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error))
    SLUICE_RETURN_IF_ERROR(copy_files(entries->path(), to / entries->path().filename()));
  return error ? unreadable(from, error.message()) : Status{};
}

}  // namespace sluice::cli
