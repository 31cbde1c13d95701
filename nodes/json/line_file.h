// A text file that is written line by line, or stdout.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "framework/core/clock.h"
#include "framework/core/status.h"

namespace sluice {

// Lines for stdout ("-") go out one by one; for a file they are gathered up to 64 KiB or about a second. The
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
  // Creates the file, or opens it and throws away what it held. Does nothing after the first call.
  Status create();
  // Creates the file when that has not been done, and appends `line`, which ends in a newline.
  Status write(std::string_view line, TimeNs now);
  // Writes what is left and closes; what was never created stays so.
  Status close();

 private:
  Status flush();
  ssize_t write_some(std::string_view bytes) const;
  Status error(std::string_view doing) const;

  std::string path_;
  std::string pending_;
  bool overwrite_ = false;
  bool to_stdout_ = false;
  int file_ = -1;
  TimeNs last_flush_ = 0;
};

}  // namespace sluice
