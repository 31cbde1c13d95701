// The text of kernels/*.cl, put into the library when it is built.
#pragma once

#include <span>
#include <string_view>

namespace sluice::gpu {

struct KernelSource {
  std::string_view unit;  // "conv" for kernels/conv.cl
  std::string_view text;
};

std::span<const KernelSource> kernel_sources();

}  // namespace sluice::gpu
