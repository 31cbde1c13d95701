#include "tests/runtime/faults/failing_allocation.h"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::int64_t> asked{0};
std::atomic<std::int64_t> fails_at{INT64_MAX};
std::atomic<bool> has_failed{false};

bool fails() {
  if (fails_at.load(std::memory_order_relaxed) == INT64_MAX) return false;
  if (asked.fetch_add(1, std::memory_order_relaxed) + 1 != fails_at.load(std::memory_order_relaxed))
    return false;
  has_failed = true;
  errno = ENOMEM;
  return true;
}

}  // namespace

namespace sluice::testing {

void fail_allocation(std::int64_t k) {
  asked = 0;
  has_failed = false;
  fails_at = k;
}

bool stop_failing_allocations() {
  fails_at = INT64_MAX;
  return has_failed;
}

std::int64_t allocations_asked() { return asked; }

}  // namespace sluice::testing

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

extern "C" {

void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* pointer, std::size_t size);
void* __libc_memalign(std::size_t align, std::size_t size);

void* malloc(std::size_t size) { return fails() ? nullptr : __libc_malloc(size); }
void* calloc(std::size_t n, std::size_t size) { return fails() ? nullptr : __libc_calloc(n, size); }
void* realloc(void* pointer, std::size_t size) { return fails() ? nullptr : __libc_realloc(pointer, size); }
void* memalign(std::size_t align, std::size_t size) {
  return fails() ? nullptr : __libc_memalign(align, size);
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

#else

void* operator new(std::size_t size) {
  void* p = fails() ? nullptr : std::malloc(size == 0 ? 1 : size);
  if (!p) throw std::bad_alloc();
  return p;
}
void* operator new[](std::size_t size) { return operator new(size); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }

#endif
