// Copies of files that go into a package.
#pragma once

#include <filesystem>

#include "framework/core/status.h"

namespace sluice::cli {

// Copies a file, or a folder with all that is in it, to `to`, whose folders are made; symbolic links are
// followed. (std::filesystem::copy leaves a full disk's reason out where the kernel copies a part of the
// file.) kFailed with both places and the system's reason; of a folder, what was copied before stays then.
// Blocks on the disk; any thread.
Status copy_files(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace sluice::cli
