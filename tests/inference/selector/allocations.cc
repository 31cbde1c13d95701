#include "tests/inference/selector/allocations.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<long> count{0};

}  // namespace

long sluice::testing::allocations() { return count.load(); }

// Both sides in a file of their own: the compiler must not pair one of them with what it knows of the other.
void* operator new(std::size_t bytes) {
  count.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(bytes)) return memory;  // NOLINT: this is the allocator
  throw std::bad_alloc();
}
// The standard library's own would do, but not a sanitizer's: its memory is not malloc's.
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  count.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(bytes);
}
void operator delete(void* memory) noexcept { std::free(memory); }               // NOLINT
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }  // NOLINT
