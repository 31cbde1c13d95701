// SHA-256 (FIPS 180-4), for the hashes that pipeline files give of their models.
#pragma once

#include <string>
#include <string_view>

namespace sluice {

// 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view bytes);

}  // namespace sluice
