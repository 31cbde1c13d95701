// Files that are there whole or not at all: reports, traces, results of commands.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "framework/core/status.h"

namespace sluice {

// Replaces what `path` names by `text`: written into a file without a name (or, where the file system has
// none, beside it), flushed to the disk, then renamed over it, so that a reader (or a crash, or a full disk)
// finds the old file or the new one, never a part. Keeps the old file's
// permissions and follows a symbolic link to it. What is no regular file (a device, a pipe) is written in
// place. kFailed with the path and the system's reason; nothing is left behind then. Blocks on the disk; any
// thread.
Status replace_file(const std::string& path, std::string_view text);

// Whether `replace_file` could write there now, without touching what is there: makes and removes a file
// beside it, so that the answer is the system's own. kFailed with the path and the reason. Any thread.
Status check_replaceable(const std::string& path);

// Opens what is no regular file for writing; the caller's to close. A pipe that nobody reads fails at once,
// where the system would wait, deaf to signals.
Result<int> open_in_place(const std::string& path);

// As replace_file, for a file that is written bit by bit. One thread at a time; a failure is final and comes
// from every later call too. Destroyed before `commit`: the old file stays and nothing is left behind.
class FileReplacement {
 public:
  static Result<FileReplacement> open(const std::string& path);
  FileReplacement(FileReplacement&&) noexcept;
  FileReplacement& operator=(FileReplacement&&) noexcept;
  ~FileReplacement();

  Status write(std::string_view text);
  Status commit();

 private:
  struct State;
  explicit FileReplacement(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sluice
