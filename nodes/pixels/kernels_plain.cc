// The inner loops for the instruction set that every machine of the target has (on aarch64 that includes
// NEON).
#include "nodes/pixels/kernels_impl.h"

namespace sluice::pixels {

extern const Kernels kPlainKernels;
constexpr Kernels kPlainKernels = kernels_named("plain");

}  // namespace sluice::pixels
