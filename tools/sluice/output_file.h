// The file that an option such as `-o` names: never replaced by accident.
#pragma once

#include <string>

#include "framework/core/status.h"

namespace sluice::cli {

// Ok when nothing is there, with `force`, or when the user at the terminal agrees. kFailed otherwise, or
// when the file cannot be written: ask this before the work is done. kInvalid: the folder does not exist.
Status may_write(const std::string& option, const std::string& path, bool force);

// A model that is written is ONNX, and what its name says is how it is read again. kInvalid: an ending of
// another format.
Status check_model_ending(const std::string& option, const std::string& path);

}  // namespace sluice::cli
