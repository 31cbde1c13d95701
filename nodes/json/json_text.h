// JSON as text, appended to a string that keeps its memory from line to line: no allocation once it has
// grown.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice {

// No invalid sequence, overlong form, surrogate or value beyond U+10FFFF.
bool is_utf8(std::string_view text);

// A JSON string with its quotes; what is not UTF-8 becomes U+FFFD.
void append_text(std::string& out, std::string_view text);

void append_integer(std::string& out, std::int64_t value);

// At most `decimals` digits after the point, at least one ("400.0", "12.25"); `null` when not finite.
void append_decimal(std::string& out, double value, int decimals);

// As many digits as it takes to read the same number back; `null` when not finite.
void append_float(std::string& out, float value);
void append_float(std::string& out, double value);

}  // namespace sluice
