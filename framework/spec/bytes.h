// What is looked at before a YAML library sees a byte: size, encoding, control characters.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "framework/spec/spec.h"

namespace sluice {

constexpr std::size_t kMaxSpecBytes = 256 * 1024;

// Offset of the first byte that is no valid UTF-8 (overlong forms, surrogates and code points above U+10FFFF
// are not).
std::optional<std::size_t> first_invalid_utf8(std::string_view text);

// The first thing that forbids reading the text at all: more than kMaxSpecBytes, NUL, invalid UTF-8, or a
// control character other than tab, line feed and carriage return.
std::optional<Issue> check_bytes(std::string_view text);

}  // namespace sluice
