// A text file that is written line by line, or stdout.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "framework/core/status.h"

namespace sluice {

// Lines go out one by one: what `write` took is in the file, and a full disk leaves whole lines there. The
// program ignores SIGPIPE, so that a reader that went away is an error here (EPIPE) and not its death. One
// thread.
class LineFile {
 public:
  LineFile() = default;
  ~LineFile();
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;

  // Finds out whether `path` can be written, without touching it (kFailed: it exists and may not be replaced,
  // its folder is missing or not writable). Devices and pipes are no files to replace.
  Status prepare(std::string path, bool overwrite);
  // Creates the file, or opens it and throws away what it held. Does nothing after the first call that did.
  // kTimeout: it is a pipe that nobody reads yet; may be tried again.
  Status create();
  // Creates the file when that has not been done, and appends `line`, which ends in a newline. kFailed:
  // nothing of the line is left in a regular file.
  Status write(std::string_view line);
  Status close();

 private:
  Status open_pipe();
  void cut_back() const;
  ssize_t write_some(std::string_view bytes) const;
  Status error(std::string_view doing) const;

  std::string path_;
  bool overwrite_ = false;
  bool to_stdout_ = false;
  bool regular_ = false;
  int file_ = -1;
  off_t size_ = 0;  // of whole lines
};

}  // namespace sluice
