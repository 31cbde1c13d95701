// A pipeline file's text with other paths in it: everything else, comments too, stays as it was written.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "framework/core/status.h"
#include "framework/spec/spec.h"

namespace sluice::cli {

// The scalar that stands at `mark`, and what shall stand there.
struct NewPath {
  Mark mark;
  std::string from;  // its value, after expansion
  std::string to;
};

// kInvalid: a scalar is written in a way that cannot be replaced (over several lines, with a tag or anchor).
Result<std::string> rewrite_paths(std::string_view text, std::vector<NewPath> paths);

// The same pipeline with its name, its file's, written down; `text` has been read without errors.
std::string with_name(std::string_view text, const std::string& name);

}  // namespace sluice::cli
