// Patterns in the path of image_source.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice {

constexpr std::string_view kPatternCharacters = "*?[";

// The regular files that a pattern with * ? [ ] stands for, in no order.
std::vector<std::string> files_matching(const std::string& pattern);

}  // namespace sluice
