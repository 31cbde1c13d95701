// The inner loops for x86-64 with AVX2; compiled for it by nodes/pre.cmake.
#include "nodes/pixels/kernels_impl.h"

namespace sluice::pixels {

extern const Kernels kAvx2Kernels;
constexpr Kernels kAvx2Kernels = kernels_named("avx2");

}  // namespace sluice::pixels
