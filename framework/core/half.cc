#include "framework/core/half.h"

#include <bit>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sluice {
namespace {

#if defined(__x86_64__)

bool has_f16c() {
  static const bool yes = __builtin_cpu_supports("avx") && __builtin_cpu_supports("f16c");
  return yes;
}

// Whole eights; returns how many values were converted.
__attribute__((target("avx,f16c"))) std::size_t to_half_f16c(const float* in, std::size_t n,
                                                             std::uint16_t* out) {
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i halves = _mm256_cvtps_ph(_mm256_loadu_ps(in + i), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), halves);
  }
  return i;
}

__attribute__((target("avx,f16c"))) std::size_t from_half_f16c(const std::uint16_t* in, std::size_t n,
                                                               float* out) {
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i));
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(halves));
  }
  return i;
}

#endif

}  // namespace

std::uint16_t to_half(float value) {
  constexpr std::uint32_t kInfinity = 0x7f800000;
  constexpr std::uint32_t kOverflow = 0x477ff000;  // 65520: rounds to infinity from here
  constexpr std::uint32_t kSmallest = 0x38800000;  // 2^-14: below are subnormals
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000);
  const std::uint32_t size = bits & 0x7fffffff;
  if (size > kInfinity) return static_cast<std::uint16_t>(sign | 0x7e00 | (size >> 13 & 0x3ff));
  if (size >= kOverflow) return static_cast<std::uint16_t>(sign | 0x7c00);
  if (size < kSmallest) {
    // Adding 0.5 leaves exactly the bits of a subnormal half in the mantissa, rounded by the addition.
    const float shifted = std::bit_cast<float>(size) + 0.5f;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000));
  }
  const std::uint32_t odd = size >> 13 & 1;
  return static_cast<std::uint16_t>(sign | ((size - 0x38000000 + 0xfff + odd) >> 13));
}

float from_half(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000) << 16;
  const std::uint32_t size = half & 0x7fff;
  if (size >= 0x7c00) {  // infinity, NaN (made quiet)
    const std::uint32_t quiet = size > 0x7c00 ? 0x400000 : 0;
    return std::bit_cast<float>(sign | 0x7f800000 | (size & 0x3ff) << 13 | quiet);
  }
  if (size < 0x400) {
    const float value = static_cast<float>(size) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | sign);
  }
  return std::bit_cast<float>(sign | ((size << 13) + 0x38000000));
}

void to_half(const float* in, std::size_t n, std::uint16_t* out) {
  std::size_t i = 0;
#if defined(__x86_64__)
  if (has_f16c()) i = to_half_f16c(in, n, out);
#elif defined(__aarch64__)
  for (; i < n; ++i) out[i] = std::bit_cast<std::uint16_t>(static_cast<__fp16>(in[i]));
#endif
  for (; i < n; ++i) out[i] = to_half(in[i]);
}

void from_half(const std::uint16_t* in, std::size_t n, float* out) {
  std::size_t i = 0;
#if defined(__x86_64__)
  if (has_f16c()) i = from_half_f16c(in, n, out);
#elif defined(__aarch64__)
  for (; i < n; ++i) out[i] = static_cast<float>(std::bit_cast<__fp16>(in[i]));
#endif
  for (; i < n; ++i) out[i] = from_half(in[i]);
}

}  // namespace sluice
