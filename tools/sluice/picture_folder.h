// A temporary folder in which pictures from anywhere lie in a given order.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "framework/core/status.h"
#include "framework/core/temporary_folder.h"

namespace sluice::cli {

// Symbolic links "00000000.jpg", ...: sorted by name they are in the order of `paths`. kFailed.
Result<TemporaryFolder> make_picture_folder(const std::vector<std::string>& paths);

// A message in which the links of `folder` are called by the names of `paths` that they lead to.
std::string with_own_names(std::string_view message, const std::string& folder,
                           const std::vector<std::string>& paths);

}  // namespace sluice::cli
