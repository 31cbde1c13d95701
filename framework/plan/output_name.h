// What the path of a sink stands for.
#pragma once

#include <string>
#include <string_view>

namespace sluice::planning {

// The names that a written path gives for the frames of one source, in one line: a folder (ends in '/' or
// exists) is "<folder>/{source}_{frame}.jpg", {source} is the source's id; {frame}, a number of six digits or
// more, stays.
std::string output_names(std::string_view path, std::string_view source);

// Whether one name can come of both.
bool can_meet(std::string_view names, std::string_view others);

}  // namespace sluice::planning
