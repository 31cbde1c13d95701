// Preloaded before the program (LD_PRELOAD): /sys is the folder FIXTURE_SYSFS instead, and each look at a
// file `temp` there writes a byte into the pipe FIXTURE_LOOKS, so that a test knows how far the program is.
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

template <typename F>
F next(const char* name) {
  return reinterpret_cast<F>(dlsym(RTLD_NEXT, name));
}

std::string moved(const char* path) {
  const char* fixture = std::getenv("FIXTURE_SYSFS");
  const std::string_view wanted(path);
  if (!fixture || !wanted.starts_with("/sys/")) return path;
  return fixture + std::string(wanted.substr(4));
}

int real_open(const char* path, int flags, mode_t mode) {
  static const auto real = next<int (*)(const char*, int, ...)>("open");
  return real(path, flags, mode);
}

// Opened once, which waits for the test; never closed.
void tell(std::string_view path) {
  if (!path.ends_with("/temp")) return;
  static const int pipe = real_open(std::getenv("FIXTURE_LOOKS"), O_WRONLY | O_CLOEXEC, 0);
  // The test has seen enough where this fails.
  if (write(pipe, "t", 1) < 0) return;
}

int open_moved(const char* path, int flags, mode_t mode) {
  const std::string where = moved(path);
  if (where != path) tell(where);
  return real_open(where.c_str(), flags, mode);
}

}  // namespace

extern "C" {

// NOLINTBEGIN(cert-dcl50-cpp): the C library's signatures
int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  return open_moved(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  return open_moved(path, flags, mode);
}
// Folders are listed by it.
int openat(int folder, const char* path, int flags, ...) {
  static const auto real = next<int (*)(int, const char*, int, ...)>("openat");
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  return real(folder, moved(path).c_str(), flags, mode);
}
// NOLINTEND(cert-dcl50-cpp)
}
