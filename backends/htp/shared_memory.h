// Memory that the processor and the NPU share (rpcmem), as the provider lends it.
#pragma once

#include <memory>

#include "backends/htp/provider.h"
#include "backends/ort/shared_memory.h"

namespace sluice::htp {

// The provider option that makes a session read and write such memory in place.
inline constexpr const char* kSharedMemoryOption = "enable_htp_shared_memory_allocator";

// From a session of its own, because ONNX Runtime's allocators end with their session and buffers outlive
// those they were made for. It holds the provider. kUnavailable in the provider's words, mostly because
// libcdsprpc.so is not there.
Result<std::shared_ptr<ort::SharedMemory>> open_shared_memory(std::shared_ptr<Provider> provider);

// Why the simulator has none.
inline constexpr const char* kSimulatorSharesNothing =
    "Qualcomm's simulator computes in the processor's own memory and has no rpcmem to share";

}  // namespace sluice::htp
