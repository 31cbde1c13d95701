#include "backends/ort/shared_memory.h"

#include <cstdint>
#include <functional>
#include <mutex>

#include "framework/core/log.h"

namespace sluice::ort {
namespace {

constexpr std::uintptr_t kAlign = 64;

}  // namespace

std::byte* SharedMemory::allocate(std::size_t bytes) {
  std::byte* data = nullptr;
  try {
    data = static_cast<std::byte*>(allocator_.Alloc(bytes));
  } catch (...) {  // the provider's allocator says so when it has no more
    return nullptr;
  }
  if (!data) return nullptr;
  if (reinterpret_cast<std::uintptr_t>(data) % kAlign != 0) {
    log_message(LogLevel::kWarning,
                "shared memory: an allocation is not aligned to 64 bytes; it is not used");
    allocator_.Free(data);
    return nullptr;
  }
  const std::lock_guard lock(mutex_);
  lent_[data] = bytes;
  return data;
}

void SharedMemory::free(std::byte* data, std::size_t /*bytes*/) {
  {
    const std::lock_guard lock(mutex_);
    lent_.erase(data);
  }
  allocator_.Free(data);
}

bool SharedMemory::holds(const std::byte* data, std::size_t bytes) const {
  const std::shared_lock lock(mutex_);
  auto next = lent_.upper_bound(data);
  if (next == lent_.begin()) return false;
  const auto& [begin, size] = *--next;
  return std::less_equal<>()(begin, data) && bytes <= size &&
         static_cast<std::size_t>(data - begin) <= size - bytes;
}

}  // namespace sluice::ort
