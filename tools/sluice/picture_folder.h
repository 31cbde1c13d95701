// A temporary folder in which pictures from anywhere lie in a given order.
#pragma once

#include <string>
#include <vector>

#include "framework/core/status.h"
#include "framework/core/temporary_folder.h"

namespace sluice::cli {

// Symbolic links "00000000.jpg", ...: sorted by name they are in the order of `paths`. kFailed.
Result<TemporaryFolder> make_picture_folder(const std::vector<std::string>& paths);

}  // namespace sluice::cli
