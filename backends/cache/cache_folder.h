// A private folder of small files. What is read from it is loaded into a driver, so nothing that another user
// could have written is ever looked at: folder and files are ours alone, no links, and are checked on the
// open descriptor.
#pragma once

#include <string>
#include <string_view>

#include "framework/core/status.h"

namespace sluice {

class CacheFolder {
 public:
  // Makes the folder (mode 0700) and those above it where they are missing. kUnavailable, with the reason: no
  // path, cannot be made, is a symbolic link or no folder, belongs to another user, or others may write to
  // it.
  static Result<CacheFolder> open(const std::string& path);
  CacheFolder(CacheFolder&& other) noexcept;
  CacheFolder& operator=(CacheFolder&&) = delete;
  ~CacheFolder();

  const std::string& path() const { return path_; }
  // kEndOfStream: there is none. kInvalid: not to be trusted (link, foreign owner, writable for others, no
  // regular file). kFailed: unreadable.
  Result<std::string> read(const std::string& name) const;
  // Under a temporary name, then renamed: readers see the old file or the new one. kFailed.
  Status write(const std::string& name, std::string_view bytes) const;
  void remove(const std::string& name) const;

 private:
  CacheFolder(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  void remove_leftovers() const;

  std::string path_;
  int descriptor_;
};

}  // namespace sluice
