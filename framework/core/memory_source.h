// Memory for buffers that is not the process's own: an accelerator's driver lends it, so that the accelerator
// reads and writes it where it lies.
#pragma once

#include <cstddef>

#include "framework/core/buffer.h"

namespace sluice {

// Thread-safe. A pool holds its source until its last buffer is back, so whatever has to outlive the memory
// (a session, a library) is the source's to hold.
class MemorySource {
 public:
  virtual ~MemorySource() = default;
  virtual MemoryKind kind() const = 0;
  // The caller's until `free`; aligned to 64 bytes, readable and writable by the processor. Null: there is no
  // more.
  virtual std::byte* allocate(std::size_t bytes) = 0;
  // What `allocate` gave for as many bytes; once.
  virtual void free(std::byte* data, std::size_t bytes) = 0;
};

}  // namespace sluice
