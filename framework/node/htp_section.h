// What the pipeline file may say of the htp backend: QNN checks nothing itself, unknown keys and values are
// ignored there without a word.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "framework/node/declaration.h"

namespace sluice {

// With "auto" last.
const std::vector<std::string>& htp_performance_modes();
OptionDeclaration htp_section();
// For a name from ONNX Runtime's or QNN's own configuration: ours, or why there is none. Empty for any other.
std::string why_htp_refuses(std::string_view key);

}  // namespace sluice
