// Backend `htp`: Qualcomm's Hexagon NPU through QNN's execution provider; on x86-64 the same library with
// Qualcomm's simulator, always labelled so.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "backends/cache/artifact_cache.h"
#include "backends/htp/provider.h"
#include "backends/ort/shared_memory.h"
#include "inference/inference.h"

namespace sluice {

struct HtpSetup {
  Clock* clock = nullptr;  // outlives the backend and its sessions
  std::function<Result<std::shared_ptr<htp::Provider>>()> provider = htp::Provider::get;
  std::shared_ptr<ArtifactCache> cache;  // null: the user's
  bool simulated = htp::kSimulator;
  // Opened with the first use; none: the device's, and nothing for the simulator, which has no such memory.
  std::function<Result<std::shared_ptr<ort::SharedMemory>>(std::shared_ptr<htp::Provider>)> shared_memory;
  std::string root = "/";  // of the file system that says which device this is
};

std::unique_ptr<Backend> make_htp_backend(HtpSetup setup);

}  // namespace sluice
