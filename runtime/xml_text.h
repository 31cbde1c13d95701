// Text inside SVG and HTML.
#pragma once

#include <string>
#include <string_view>

namespace sluice {

// With the characters that mean something to XML replaced, also inside attributes in double quotes.
std::string escaped(std::string_view text);

}  // namespace sluice
