// Other devices' memory that pictures lie in, imported once each.
#pragma once

#include <cstddef>
#include <vector>

#include "backends/gpu/device/external_memory.h"
#include "inference/picture_maker.h"

namespace sluice::gpu {

// Not thread-safe. Cleared before the context that it was filled in goes.
class AdoptedMemory {
 public:
  // What PictureMaker::adopt says. Adopting the same memory again replaces it. With a lost context nothing is
  // imported before import_again.
  Status add(const Context& context, const SharedMemory& memory);
  void remove(const std::byte* data);
  // Forgets the imports, not what they are of.
  void release();
  // All of it in a new context. What this one does not take is left out, with a warning: it is copied then.
  void import_again(const Context& context);

  struct Place {
    cl_mem memory = nullptr;  // null: this is nobody's whom we know
    std::size_t offset = 0;   // bytes
  };
  // Where `bytes` from `start` on lie.
  Place find(const void* start, std::size_t bytes) const;

 private:
  struct Entry {
    SharedMemory memory;
    ImportedDmabuf imported;
  };
  std::vector<Entry> entries_;
};

}  // namespace sluice::gpu
