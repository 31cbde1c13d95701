// Copies of files that go into a package.
#pragma once

#include <filesystem>

#include "framework/core/status.h"

namespace sluice::cli {

// Copies a file, or a folder with all that is in it, to `to`, whose folders are made; symbolic links are
// followed. Written as reports are (atomic_file.h), so that a full disk's reason is the system's own. kFailed
// with both places and the system's reason; of a folder, what was copied before stays then. Blocks on the
// disk; any thread.
Status copy_files(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace sluice::cli
