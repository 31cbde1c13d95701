// Memory that another device writes (a camera, a decoder) as an OpenCL buffer, without a copy.
#pragma once

#include <cstddef>

#include "backends/gpu/device/context.h"

namespace sluice::gpu {

// A dma-buf, and where this process sees it.
struct Dmabuf {
  int descriptor = -1;     // the owner's, open as long as what was made of it
  void* mapped = nullptr;  // page aligned
  std::size_t bytes = 0;
};

struct ImportedDmabuf {
  Buffer buffer;
  std::size_t bytes = 0;  // of it that kernels may touch: Adreno keeps some at the end for itself
};

// Where the device has cl_arm_import_memory_dma_buf (Mali) or cl_qcom_dmabuf_host_ptr (Adreno). kUnavailable
// when it has neither, or the driver does not take this one: then the bytes have to be copied.
Result<ImportedDmabuf> import_dmabuf(const Context& context, const Dmabuf& memory, cl_mem_flags flags);

}  // namespace sluice::gpu
