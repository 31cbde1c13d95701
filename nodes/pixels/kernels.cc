#include "nodes/pixels/kernels.h"

#include <cstddef>

namespace sluice::pixels {

extern const Kernels kPlainKernels;
#if defined(__x86_64__)
extern const Kernels kAvx2Kernels;
#endif

KernelList usable_kernels() {
  KernelList list;
  list.sets[static_cast<std::size_t>(list.count++)] = &kPlainKernels;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) list.sets[static_cast<std::size_t>(list.count++)] = &kAvx2Kernels;
#endif
  return list;
}

const Kernels& kernels() {
  static const KernelList list = usable_kernels();
  return *list.sets[static_cast<std::size_t>(list.count - 1)];
}

}  // namespace sluice::pixels
