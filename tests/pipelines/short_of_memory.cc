// Preloaded before the program (LD_PRELOAD): its k-th allocation since main began fails, once;
// SHORT_OF_MEMORY=k. With SHORT_OF_MEMORY=0 none fails, and at the end the count is written to the file that
// SHORT_OF_MEMORY_COUNT names. Static objects of libraries that are loaded meanwhile are spared: several of
// FFmpeg's own libraries end the process there, which no caller can prevent. Where the one that failed was
// ONNX Runtime's own, the file that SHORT_OF_MEMORY_INSIDE names is made. Stands behind the counting malloc
// of the program (runtime/allocation_hooks.cc), which calls these.
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

std::atomic<std::int64_t> asked{0};
std::int64_t fails_at = 0;  // set before main
bool in_main = false;
int (*real_main)(int, char**, char**) = nullptr;
thread_local int loading = 0;

// Whether ONNX Runtime is among the callers.
bool is_inside_engine() {
  std::array<void*, 64> callers;
  const int count = backtrace(callers.data(), static_cast<int>(callers.size()));
  for (int i = 0; i < count; ++i) {
    Dl_info library{};
    if (dladdr(callers[static_cast<std::size_t>(i)], &library) && library.dli_fname &&
        std::strstr(library.dli_fname, "libonnxruntime.so"))
      return true;
  }
  return false;
}

void tell_whose() {
  const char* path = std::getenv("SHORT_OF_MEMORY_INSIDE");
  if (path && is_inside_engine()) close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

bool fails() {
  if (!in_main || loading > 0) return false;
  if (asked.fetch_add(1, std::memory_order_relaxed) + 1 != fails_at) return false;
  tell_whose();
  errno = ENOMEM;
  return true;
}

template <typename F>
F next(const char* name) {
  return reinterpret_cast<F>(dlsym(RTLD_NEXT, name));
}

__attribute__((constructor)) void read_environment() {
  const char* k = std::getenv("SHORT_OF_MEMORY");
  fails_at = k ? std::atoll(k) : 0;
  void* first = nullptr;
  backtrace(&first, 1);  // loads what it needs, which allocates
}

__attribute__((destructor)) void write_count() {
  const char* path = std::getenv("SHORT_OF_MEMORY_COUNT");
  std::FILE* file = path ? std::fopen(path, "we") : nullptr;
  if (!file) return;
  std::fprintf(file, "%lld\n", static_cast<long long>(asked));
  std::fclose(file);
}

int counted_main(int argc, char** argv, char** environment) {
  in_main = true;
  return real_main(argc, argv, environment);
}

}  // namespace

extern "C" {

// Static objects of the program and its libraries come before this calls main.
int __libc_start_main(int (*main)(int, char**, char**), int argc, char** argv, void (*init)(), void (*fini)(),
                      void (*end)(), void* stack) {
  real_main = main;
  return next<decltype(&__libc_start_main)>("__libc_start_main")(counted_main, argc, argv, init, fini, end,
                                                                 stack);
}

void* dlopen(const char* path, int flags) {
  static const auto kNext = next<void* (*)(const char*, int)>("dlopen");
  ++loading;
  void* const library = kNext(path, flags);
  --loading;
  return library;
}

void* __libc_malloc(std::size_t size) {
  static const auto kNext = next<void* (*)(std::size_t)>("malloc");
  return fails() ? nullptr : kNext(size);
}

void* __libc_calloc(std::size_t count, std::size_t size) {
  static const auto kNext = next<void* (*)(std::size_t, std::size_t)>("calloc");
  return fails() ? nullptr : kNext(count, size);
}

void* __libc_realloc(void* pointer, std::size_t size) {
  static const auto kNext = next<void* (*)(void*, std::size_t)>("realloc");
  return fails() ? nullptr : kNext(pointer, size);
}

void* __libc_memalign(std::size_t align, std::size_t size) {
  static const auto kNext = next<void* (*)(std::size_t, std::size_t)>("memalign");
  return fails() ? nullptr : kNext(align, size);
}

}  // extern "C"
