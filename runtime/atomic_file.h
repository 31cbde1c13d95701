// Files that are there whole or not at all: reports, traces, results of commands.
#pragma once

#include <string>
#include <string_view>

#include "framework/core/status.h"

namespace sluice {

// Replaces what `path` names by `text`: written beside it, flushed to the disk, then renamed over it, so that
// a reader (or a crash, or a full disk) finds the old file or the new one, never a part. Keeps the old file's
// permissions and follows a symbolic link to it. What is no regular file (a device, a pipe) is written in
// place. kFailed with the path and the system's reason; nothing is left behind then. Blocks on the disk; any
// thread.
Status replace_file(const std::string& path, std::string_view text);

}  // namespace sluice
