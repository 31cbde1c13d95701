// Bodies of the inner loops. Included once by each kernels_*.cc, which is compiled for one instruction set
// and names its own namespace: nothing here, nor anything it calls, may be shared between those files (the
// linker would keep one copy, perhaps one that this machine cannot run). Hence no standard library functions.
#pragma once

#include <cstdint>

#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#include "nodes/pixels/kernels.h"

namespace sluice::pixels {
namespace {

constexpr int kRowShift = 9;  // kTapUnit * 255 -> kFraction * 255
static_assert(kTapUnit >> kRowShift == kFraction);

// ---- taps along a row ----

#if defined(__AVX2__)

inline __m256i load_lanes(const std::uint8_t* row, const std::uint16_t* at) {
  const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + at[0]));
  const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + at[1]));
  return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

inline __m256i load_256(const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }

// The bytes of eight outputs, four each.
template <int kLoads>
__m256i tap_bytes(const std::uint8_t* row, const std::uint16_t* at, const std::uint8_t* masks) {
  __m256i bytes = _mm256_shuffle_epi8(load_lanes(row, at), load_256(masks));
  for (int k = 1; k < kLoads; ++k) {
    bytes =
        _mm256_or_si256(bytes, _mm256_shuffle_epi8(load_lanes(row, at + 2 * k), load_256(masks + 32 * k)));
  }
  return bytes;
}

// Eight outputs from their pairs of 16-bit samples.
inline __m256i tap_sums(__m256i samples, const std::int16_t* weights) {
  const __m256i sums = _mm256_madd_epi16(samples, load_256(weights));
  return _mm256_srai_epi32(_mm256_add_epi32(sums, _mm256_set1_epi32(1 << (kRowShift - 1))), kRowShift);
}

inline void store_block(__m256i a, __m256i b, std::int16_t* out) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_packs_epi32(a, b));
}

template <int kLoads>
void resample_with(const RowTapsView& taps, const std::uint8_t* row, std::int16_t* out) {
  const std::uint16_t* at = taps.loads_at;
  const std::uint8_t* masks = taps.masks;
  const std::int16_t* weights = taps.weights;
  for (int block = 0; block < taps.blocks; ++block) {
    const __m256i a = tap_bytes<kLoads>(row, at, masks);
    const __m256i b = tap_bytes<kLoads>(row, at + 2 * kLoads, masks + 32 * kLoads);
    store_block(tap_sums(a, weights), tap_sums(b, weights + 16), out + block * kBlock);
    at += 4 * kLoads;
    masks += 64 * kLoads;
    weights += 2 * kBlock;
  }
}

template <int kLoads>
void resample_pairs_with(const RowTapsView& taps, const std::uint8_t* row, std::int16_t* even,
                         std::int16_t* odd) {
  const std::uint16_t* at = taps.loads_at;
  const std::uint8_t* masks = taps.masks;
  const std::int16_t* weights = taps.weights;
  const __m256i low_bytes = _mm256_set1_epi16(0xff);
  for (int block = 0; block < taps.blocks; ++block) {
    const __m256i a = tap_bytes<kLoads>(row, at, masks);
    const __m256i b = tap_bytes<kLoads>(row, at + 2 * kLoads, masks + 32 * kLoads);
    store_block(tap_sums(_mm256_and_si256(a, low_bytes), weights),
                tap_sums(_mm256_and_si256(b, low_bytes), weights + 16), even + block * kBlock);
    store_block(tap_sums(_mm256_srli_epi16(a, 8), weights), tap_sums(_mm256_srli_epi16(b, 8), weights + 16),
                odd + block * kBlock);
    at += 4 * kLoads;
    masks += 64 * kLoads;
    weights += 2 * kBlock;
  }
}

#elif defined(__ARM_NEON) && defined(__aarch64__)

// The bytes of four outputs, four each. Entries of a pair of groups alternate.
template <int kLoads>
uint8x16_t tap_bytes(const std::uint8_t* row, const std::uint16_t* at, const std::uint8_t* masks) {
  uint8x16_t bytes = vqtbl1q_u8(vld1q_u8(row + at[0]), vld1q_u8(masks));
  for (int k = 1; k < kLoads; ++k) {
    bytes = vorrq_u8(bytes, vqtbl1q_u8(vld1q_u8(row + at[2 * k]), vld1q_u8(masks + 32 * k)));
  }
  return bytes;
}

// Four outputs from their pairs of 16-bit samples.
inline int16x4_t tap_sums(uint16x8_t samples, const std::int16_t* weights) {
  const int16x8_t values = vreinterpretq_s16_u16(samples);
  const int16x8_t shares = vld1q_s16(weights);
  const int32x4_t low = vmull_s16(vget_low_s16(values), vget_low_s16(shares));
  return vrshrn_n_s32(vpaddq_s32(low, vmull_high_s16(values, shares)), kRowShift);
}

template <int kLoads>
void resample_with(const RowTapsView& taps, const std::uint8_t* row, std::int16_t* out) {
  for (int group = 0; group < taps.blocks * (kBlock / kGroup); ++group) {
    const int first = group / 2 * 2 * kLoads + group % 2;
    const uint8x16_t bytes = tap_bytes<kLoads>(row, taps.loads_at + first, taps.masks + 16 * first);
    const int place = group / 4 * kBlock + kGroup * kGroupOrder[group % 4];
    vst1_s16(out + place, tap_sums(vreinterpretq_u16_u8(bytes), taps.weights + 8 * group));
  }
}

template <int kLoads>
void resample_pairs_with(const RowTapsView& taps, const std::uint8_t* row, std::int16_t* even,
                         std::int16_t* odd) {
  for (int group = 0; group < taps.blocks * (kBlock / kGroup); ++group) {
    const int first = group / 2 * 2 * kLoads + group % 2;
    const uint16x8_t both =
        vreinterpretq_u16_u8(tap_bytes<kLoads>(row, taps.loads_at + first, taps.masks + 16 * first));
    const int place = group / 4 * kBlock + kGroup * kGroupOrder[group % 4];
    vst1_s16(even + place, tap_sums(vandq_u16(both, vdupq_n_u16(0xff)), taps.weights + 8 * group));
    vst1_s16(odd + place, tap_sums(vshrq_n_u16(both, 8), taps.weights + 8 * group));
  }
}

#endif

#if defined(__AVX2__) || (defined(__ARM_NEON) && defined(__aarch64__))

void resample(const RowTapsView& taps, const std::uint8_t* row, std::int16_t* out) {
  switch (taps.loads) {
    case 1:
      return resample_with<1>(taps, row, out);
    case 2:
      return resample_with<2>(taps, row, out);
    case 3:
      return resample_with<3>(taps, row, out);
    default:
      return resample_with<4>(taps, row, out);
  }
}

void resample_pairs(const RowTapsView& taps, const std::uint8_t* row, std::int16_t* even, std::int16_t* odd) {
  switch (taps.loads) {
    case 1:
      return resample_pairs_with<1>(taps, row, even, odd);
    case 2:
      return resample_pairs_with<2>(taps, row, even, odd);
    case 3:
      return resample_pairs_with<3>(taps, row, even, odd);
    default:
      return resample_pairs_with<4>(taps, row, even, odd);
  }
}

#else

void resample(const RowTapsView& taps, const std::uint8_t* row, std::int16_t* out) {
  for (int i = 0; i < taps.blocks * kBlock; ++i) {
    const std::uint8_t* pair = row + taps.first[i];
    const int sum = pair[0] * taps.weights[2 * i] + pair[taps.step] * taps.weights[2 * i + 1];
    const int place = i / kBlock * kBlock + kGroup * kGroupOrder[i % kBlock / kGroup] + i % kGroup;
    out[place] = static_cast<std::int16_t>((sum + (1 << (kRowShift - 1))) >> kRowShift);
  }
}

void resample_pairs(const RowTapsView& taps, const std::uint8_t* row, std::int16_t* even, std::int16_t* odd) {
  resample(taps, row, even);
  resample(taps, row + 1, odd);
}

#endif

// ---- between rows, and colour ----

// A vector of samples; `kBlock` outputs are one or two of them.
#if defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif
typedef std::int16_t Samples
    __attribute__((vector_size(kVectorBytes)));  // NOLINT: `using` drops the attribute
constexpr int kLanes = kVectorBytes / 2;
static_assert(kBlock % kLanes == 0);

inline Samples load(const std::int16_t* from) {
  Samples v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

inline void store(Samples v, std::int16_t* to) { __builtin_memcpy(to, &v, sizeof v); }

inline Samples all(std::int16_t value) { return value - Samples{}; }

// a * b / (1 << 15), rounded.
inline Samples scaled(Samples a, Samples b) {
#if defined(__AVX2__)
  return reinterpret_cast<Samples>(
      _mm256_mulhrs_epi16(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#elif defined(__SSE2__)
  const __m128i x = reinterpret_cast<__m128i>(a);
  const __m128i y = reinterpret_cast<__m128i>(b);
  const __m128i low = _mm_mullo_epi16(x, y);
  const __m128i carry = _mm_and_si128(_mm_srli_epi16(low, 14), _mm_set1_epi16(1));
  const __m128i upper = _mm_add_epi16(_mm_slli_epi16(_mm_mulhi_epi16(x, y), 1), _mm_srli_epi16(low, 15));
  return reinterpret_cast<Samples>(_mm_add_epi16(upper, carry));
#elif defined(__ARM_NEON)
  return reinterpret_cast<Samples>(
      vqrdmulhq_s16(reinterpret_cast<int16x8_t>(a), reinterpret_cast<int16x8_t>(b)));
#else
  Samples out;
  for (int i = 0; i < kLanes; ++i) out[i] = static_cast<std::int16_t>((a[i] * b[i] + (1 << 14)) >> 15);
  return out;
#endif
}

// Coefficients are of 1 << 13 instead of 1 << 15, so that they reach up to 4.
inline Samples scaled_fourfold(Samples a, std::int16_t coefficient) {
  return scaled(a << 2, all(coefficient));
}

inline Samples clamped(Samples v) {
  const Samples low = v < 0 ? Samples{} : v;
  return low > kMaxSample ? all(kMaxSample) : low;
}

inline Samples between(const RowPair& rows, int i) {
  const Samples first = load(rows.first + i);
  return first + scaled(load(rows.second + i) - first, all(rows.share));
}

void blend(const RowPair& rows, int n, std::int16_t* out) {
  for (int i = 0; i < n; i += kLanes) store(between(rows, i), out + i);
}

void yuv_to_rgb(const RowPair yuv[3], const YuvCoefficients& c, int n, std::int16_t* const rgb[3]) {
  const RowPair rows[3] = {yuv[0], yuv[1], yuv[2]};
  std::int16_t* const out[3] = {rgb[0], rgb[1], rgb[2]};
  const YuvCoefficients k = c;
  const Samples middle = all(128 * kFraction);
  for (int i = 0; i < n; i += kLanes) {
    const Samples y = scaled_fourfold(between(rows[0], i) - all(k.y_offset), k.y_gain);
    const Samples u = between(rows[1], i) - middle;
    const Samples v = between(rows[2], i) - middle;
    store(clamped(y + scaled_fourfold(v, k.rv)), out[0] + i);
    store(clamped(y - scaled_fourfold(u, k.gu) - scaled_fourfold(v, k.gv)), out[1] + i);
    store(clamped(y + scaled_fourfold(u, k.bu)), out[2] + i);
  }
}

void expand_luma(const RowPair& luma, const YuvCoefficients& c, int n, std::int16_t* out) {
  const YuvCoefficients k = c;
  for (int i = 0; i < n; i += kLanes) {
    store(clamped(scaled_fourfold(between(luma, i) - all(k.y_offset), k.y_gain)), out + i);
  }
}

void rgb_to_gray(const RowPair rgb[3], const GrayWeights& weights, int n, std::int16_t* out) {
  const GrayWeights w = weights;
  for (int i = 0; i < n; i += kLanes) {
    const Samples red = scaled_fourfold(between(rgb[0], i), w.r);
    const Samples green = scaled_fourfold(between(rgb[1], i), w.g);
    const Samples blue = scaled_fourfold(between(rgb[2], i), w.b);
    store(clamped(red + green + blue), out + i);
  }
}

// Counted in 16 bits, so that no lane is lost to wider ones.
int count_outside(const std::int16_t* __restrict row, int n, std::int16_t low, std::int16_t high) {
  std::int16_t outside = 0;
  for (int i = 0; i < n; ++i)
    outside = static_cast<std::int16_t>(outside + (row[i] < low ? 1 : 0) + (row[i] > high ? 1 : 0));
  return outside;
}

// ---- to elements ----

template <typename T>
struct Element {
  static T from(std::int16_t value, const Affine& affine) {
    // Adding 1.5 * 2^23 leaves no bits behind the point: rounds half to even in any vector instruction set.
    constexpr float kRound = 12582912.0f;
    float v = static_cast<float>(value) * affine.scale + affine.bias;
    v = v < affine.low ? affine.low : v;
    v = v > affine.high ? affine.high : v;
    return static_cast<T>(static_cast<std::int32_t>((v + kRound) - kRound) + affine.zero_point);
  }
};

template <>
struct Element<float> {
  static float from(std::int16_t value, const Affine& affine) {
    return static_cast<float>(value) * affine.scale + affine.bias;
  }
};

template <typename T>
void store_planar(const std::int16_t* __restrict row, int n, const Affine& affine, T* __restrict out) {
  const Affine a = affine;
  for (int i = 0; i < n; ++i) out[i] = Element<T>::from(row[i], a);
}

template <typename T>
void store_interleaved(const std::int16_t* const rows[3], int n, const Affine affine[3], T* __restrict out) {
  const std::int16_t* __restrict r = rows[0];
  const std::int16_t* __restrict g = rows[1];
  const std::int16_t* __restrict b = rows[2];
  const Affine ar = affine[0];
  const Affine ag = affine[1];
  const Affine ab = affine[2];
  for (int i = 0; i < n; ++i) {
    out[3 * i] = Element<T>::from(r[i], ar);
    out[3 * i + 1] = Element<T>::from(g[i], ag);
    out[3 * i + 2] = Element<T>::from(b[i], ab);
  }
}

template <typename T>
constexpr StoreKernels<T> store_kernels() {
  return {&store_planar<T>, &store_interleaved<T>};
}

constexpr Kernels kernels_named(const char* name) {
  return {name,
          &resample,
          &resample_pairs,
          &blend,
          &yuv_to_rgb,
          &expand_luma,
          &rgb_to_gray,
          &count_outside,
          store_kernels<float>(),
          store_kernels<std::uint8_t>(),
          store_kernels<std::int8_t>(),
          store_kernels<std::uint16_t>(),
          store_kernels<std::int16_t>()};
}

}  // namespace
}  // namespace sluice::pixels
