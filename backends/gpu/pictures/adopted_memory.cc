#include "backends/gpu/pictures/adopted_memory.h"

#include <limits>
#include <string>

#include "framework/core/log.h"

namespace sluice::gpu {
namespace {

Result<ImportedDmabuf> import_shared(const Context& context, const SharedMemory& memory) {
  return import_dmabuf(context, {memory.descriptor, memory.data, memory.bytes}, CL_MEM_READ_ONLY);
}

}  // namespace

Status AdoptedMemory::add(const Context& context, const SharedMemory& memory) {
  // Kernels count bytes in 32 bits.
  constexpr std::size_t kMost = std::numeric_limits<std::int32_t>::max();
  if (memory.descriptor < 0 || !memory.data || memory.bytes == 0 || memory.bytes > kMost)
    return invalid("memory of another device needs a descriptor, an address and 1 to " +
                   std::to_string(kMost) + " bytes; got descriptor " + std::to_string(memory.descriptor) +
                   " and " + std::to_string(memory.bytes) + " bytes" + (memory.data ? "" : " at no address"));
  remove(memory.data);
  ImportedDmabuf imported;
  if (!context.lost()) {
    auto taken = import_shared(context, memory);
    if (!taken.ok() && !context.lost()) return taken.status();
    if (taken.ok()) imported = std::move(*taken);
  }
  entries_.push_back({memory, std::move(imported)});
  return {};
}

void AdoptedMemory::remove(const std::byte* data) {
  std::erase_if(entries_, [data](const Entry& entry) { return entry.memory.data == data; });
}

void AdoptedMemory::release() {
  for (Entry& entry : entries_) entry.imported = {};
}

void AdoptedMemory::import_again(const Context& context) {
  std::erase_if(entries_, [&context](Entry& entry) {
    auto imported = import_shared(context, entry.memory);
    if (imported.ok()) {
      entry.imported = std::move(*imported);
      return false;
    }
    log_message(LogLevel::kWarning,
                "preprocess: pictures are copied to the gpu from now on: " + imported.status().message());
    return true;
  });
}

AdoptedMemory::Place AdoptedMemory::find(const void* start, std::size_t bytes) const {
  const auto at = reinterpret_cast<std::uintptr_t>(start);
  for (const Entry& entry : entries_) {
    const auto first = reinterpret_cast<std::uintptr_t>(entry.memory.data);
    if (at < first || bytes > entry.imported.bytes || at - first > entry.imported.bytes - bytes) continue;
    return {entry.imported.buffer.get(), at - first};
  }
  return {};
}

}  // namespace sluice::gpu
