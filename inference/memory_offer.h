// Backends that read and write buffers where they lie implement this besides Backend.
#pragma once

#include <memory>

#include "framework/core/memory_source.h"
#include "framework/core/status.h"
#include "framework/node/options.h"

namespace sluice {

class MemoryOffer {
 public:
  virtual ~MemoryOffer() = default;
  // For what its sessions under these options (as for SessionRequest) read and write. kUnavailable: exactly
  // why there is none, runs copy then. The first call may load libraries. Thread-safe.
  virtual Result<std::shared_ptr<MemorySource>> memory(const OptionMap& options) = 0;
};

// Sessions whose own buffers (gathered batches) may lie in such memory implement this besides Session.
class MemoryUser {
 public:
  virtual ~MemoryUser() = default;
  // Null: the process's own memory.
  virtual std::shared_ptr<MemorySource> memory() const = 0;
};

}  // namespace sluice
