// malloc and its family with counters in front; linked into programs, not into the library. `operator new` of
// libstdc++ comes through malloc, so this one place sees all. glibc only; not under sanitizers, which have
// hooks of their own.
#include <cerrno>
#include <cstddef>

#include "framework/core/allocation_scope.h"
#include "runtime/allocation_counter.h"

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* pointer, std::size_t size);
void* __libc_memalign(std::size_t align, std::size_t size);
}

namespace {

sluice::AllocationCounts* counts = nullptr;

inline void count() {
  if (!counts) return;
  counts->total.fetch_add(1, std::memory_order_relaxed);
  if (sluice::own_code_depth > 0) counts->own.fetch_add(1, std::memory_order_relaxed);
}

[[maybe_unused]] const bool kActive = [] {
  counts = &sluice::allocation_counts();
  counts->active = true;
  return true;
}();

}  // namespace

extern "C" {

void* malloc(std::size_t size) {
  count();
  return __libc_malloc(size);
}

void* calloc(std::size_t n, std::size_t size) {
  count();
  return __libc_calloc(n, size);
}

void* realloc(void* pointer, std::size_t size) {
  count();
  return __libc_realloc(pointer, size);
}

void* memalign(std::size_t align, std::size_t size) {
  count();
  return __libc_memalign(align, size);
}

void* aligned_alloc(std::size_t align, std::size_t size) { return memalign(align, size); }

int posix_memalign(void** out, std::size_t align, std::size_t size) {
  if (align < sizeof(void*) || (align & (align - 1)) != 0) return EINVAL;
  void* p = memalign(align, size);
  if (!p) return ENOMEM;
  *out = p;
  return 0;
}

}  // extern "C"

#endif
