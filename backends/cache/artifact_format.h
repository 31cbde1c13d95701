// The bytes of one cache entry:
//
//   offset  size
//   0       8     "SLUICEA1": magic and version
//   8       64    SHA-256 of everything behind it, in hexadecimal
//   72      4     length of the key's text, little endian
//   76      8     length of the payload, little endian
//   84            the key's text, then the payload, then nothing
//
// The provider's own formats carry no checksum: damaged ones run and compute something else.
#pragma once

#include <string>
#include <string_view>

#include "framework/core/status.h"

namespace sluice {

std::string pack_artifact(std::string_view key_text, std::string_view payload);

// The payload, a view into `bytes`. kInvalid, saying what is wrong: cut short, of another version, damaged,
// or made for another key.
Result<std::string_view> unpack_artifact(std::string_view bytes, std::string_view key_text);

}  // namespace sluice
