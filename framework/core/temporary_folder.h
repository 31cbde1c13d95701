// Folders that are only there while something is made.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include "framework/core/status.h"

namespace sluice {

// A folder of our own, removed with everything in it when the object goes. A lock on it tells others that its
// process lives: the next folder of the same kind removes those whose process was killed. Any thread.
class TemporaryFolder {
 public:
  // "sluice-KIND-XXXXXX" where the system wants such (TMPDIR). kFailed with the reason.
  static Result<TemporaryFolder> make(std::string_view kind);
  // ".NAME.sluice-XXXXXX" beside `path`, whose NAME it may get by a rename.
  static Result<TemporaryFolder> make_beside(const std::string& path);
  TemporaryFolder(TemporaryFolder&& other) noexcept;
  TemporaryFolder& operator=(TemporaryFolder&& other) noexcept;  // exchanges the two
  ~TemporaryFolder();

  const std::string& path() const { return path_; }
  // It is a result now, and stays.
  void keep();

 private:
  TemporaryFolder(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  static Result<TemporaryFolder> make_in(const std::string& parent, const std::string& prefix);

  std::string path_;  // empty: not ours any more
  int lock_;
};

// std::filesystem::create_directories for whatever may lie in one of them: before end_without_temporaries or
// never, so that no thread in the middle of its work makes again what has just been removed.
std::error_code make_folders(const std::filesystem::path& path);

// Removes all of them at once and ends the process, as _exit does: the signal that ends a command must leave
// nothing behind. Other threads still run: those that want a folder now wait for ever, a rename of one to its
// result comes before it or fails, and while there are any to remove, what they print is lost.
[[noreturn]] void end_without_temporaries(int code);

}  // namespace sluice
