// What to do about a slow layer: a table of rules, the first that fits answers.
#pragma once

#include <string>
#include <string_view>

#include "tools/sluice/layer_times.h"

namespace sluice::cli {

// `backend`: htp, gpu or cpu, where it was slow. Never empty: where no rule fits it says so.
std::string remedy_for(const LayerTime& layer, std::string_view backend);

// Of a graph that the backend cannot take whole.
inline constexpr std::string_view kSplitRemedy =
    "an unsupported operator splits the graph, and numbers are copied to the CPU and back around it: replace "
    "it "
    "by one that the backend has, or move it to the model's end";

}  // namespace sluice::cli
