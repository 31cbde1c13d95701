#include "inference/sha256.h"

#include <array>
#include <cstdint>
#include <cstring>

#include "inference/sha256_blocks.h"

namespace sluice {

std::string sha256_hex(std::string_view bytes) {
  Sha256State state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  const std::size_t at = bytes.size() / 64 * 64;
  sha256_add_blocks(state, bytes.data(), at / 64);

  std::array<char, 128> tail{};
  const std::size_t left = bytes.size() - at;
  if (left > 0) std::memcpy(tail.data(), bytes.data() + at, left);
  tail[left] = static_cast<char>(0x80);
  const std::size_t length = left < 56 ? 64 : 128;
  const std::uint64_t bits = __builtin_bswap64(std::uint64_t{bytes.size()} * 8);
  std::memcpy(tail.data() + length - 8, &bits, 8);
  sha256_add_blocks(state, tail.data(), length / 64);

  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint32_t word : state)
    for (int shift = 28; shift >= 0; shift -= 4) text.push_back(kDigits[(word >> shift) & 15]);
  return text;
}

}  // namespace sluice
