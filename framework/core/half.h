// IEEE 754 binary16 ("float16") to and from float. Rounds to nearest, ties to even; overflow becomes
// infinity, NaN stays NaN, subnormals are kept. No allocation; any thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice {

std::uint16_t to_half(float value);
float from_half(std::uint16_t half);

// n values; in and out do not overlap. Uses the machine's conversion instructions where it has them.
void to_half(const float* in, std::size_t n, std::uint16_t* out);
void from_half(const std::uint16_t* in, std::size_t n, float* out);

}  // namespace sluice
