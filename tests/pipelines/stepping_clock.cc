// Preloaded before the program (LD_PRELOAD): the system's time of day jumps by hours, forth and back, with
// every look at it, as when somebody sets the clock or a server corrects it. Clocks that only count on are
// left alone. STEPPING_CLOCK_COUNT names a file that gets the number of looks at the end.
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

constexpr std::int64_t kStep = 7 * 3600;  // s
std::atomic<std::int64_t> looks{0};

std::int64_t step() { return looks.fetch_add(1, std::memory_order_relaxed) % 2 == 0 ? kStep : -kStep; }

template <typename F>
F next(const char* name) {
  return reinterpret_cast<F>(dlsym(RTLD_NEXT, name));
}

__attribute__((destructor)) void write_count() {
  const char* path = std::getenv("STEPPING_CLOCK_COUNT");
  std::FILE* file = path ? std::fopen(path, "w") : nullptr;
  if (!file) return;
  std::fprintf(file, "%lld\n", static_cast<long long>(looks.load()));
  std::fclose(file);
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* out) noexcept {
  static const auto real = next<int (*)(clockid_t, timespec*)>("clock_gettime");
  const int result = real(clock, out);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) out->tv_sec += step();
  return result;
}

int gettimeofday(timeval* out, void* zone) noexcept {
  static const auto real = next<int (*)(timeval*, void*)>("gettimeofday");
  const int result = real(out, zone);
  if (result == 0) out->tv_sec += step();
  return result;
}

time_t time(time_t* out) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
}
