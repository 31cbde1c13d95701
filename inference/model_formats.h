// Files that are no ONNX models, but can be made into some.
#pragma once

#include <string>
#include <string_view>

#include "framework/core/status.h"

namespace sluice {

// A whole ONNX model around `bytes` of the file `path`. kUnavailable with what is wrong with it.
using ModelWrapper = Result<std::string> (*)(std::string_view bytes, const std::string& path);

// Files whose name ends in ".bin" go through `wrap` from now on (null: they are refused). Any thread.
void set_binary_wrapper(ModelWrapper wrap);

}  // namespace sluice
