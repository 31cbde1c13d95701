#pragma once

#include <optional>
#include <string_view>

namespace sluice::cli {

// "500ms", "10s", "30m", "1.5h" or plain seconds, as seconds; nothing for anything else and below 0. `zero`:
// 0 is one, too.
std::optional<double> parse_duration(std::string_view text, bool zero = false);

}  // namespace sluice::cli
