// The inner loop of SHA-256 (FIPS 180-4), with the processor's own instructions where it has them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace sluice {

using Sha256State = std::array<std::uint32_t, 8>;

// Takes `blocks` blocks of 64 bytes into `state`. Any thread.
void sha256_add_blocks(Sha256State& state, const char* data, std::size_t blocks);
// The same on any processor.
void sha256_add_blocks_portable(Sha256State& state, const char* data, std::size_t blocks);

}  // namespace sluice
