#include "runtime/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <utility>

#include "framework/core/suggest.h"

namespace sluice {
namespace {

namespace fs = std::filesystem;

Status system_failure(const std::string& path) {
  return failed(in_quotes(path) + " cannot be written: " + std::strerror(errno));
}

// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  // False with errno when what was written did not arrive (a full disk may say so only here).
  bool close() { return ::close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_;
};

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

Status write_in_place(const std::string& path, std::string_view text) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
  if (file.get() < 0 || !write_all(file.get(), text) || !file.close()) return system_failure(path);
  return {};
}

// What a new file gets: rw for all but what the umask forbids. There is no way to read the umask without
// setting it.
mode_t new_file_mode() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return 0666 & ~mask;
}

// Removes the temporary file unless it got its name.
class Temporary {
 public:
  explicit Temporary(const std::string& target)
      : name_((fs::path(target).parent_path() / ("." + fs::path(target).filename().string() + ".XXXXXX"))
                  .string()),
        fd_(::mkostemp(name_.data(), O_CLOEXEC)) {}
  ~Temporary() {
    if (!named_ && fd_ >= 0) ::unlink(name_.c_str());
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  int fd() const { return fd_; }
  bool rename_to(const std::string& target) { return named_ = ::rename(name_.c_str(), target.c_str()) == 0; }

 private:
  std::string name_;
  int fd_;
  bool named_ = false;
};

// The rename itself must survive a power cut; file systems that cannot say so are no failure.
void sync_folder(const std::string& path) {
  const fs::path parent = fs::path(path).parent_path();
  const Descriptor folder(::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() >= 0) ::fsync(folder.get());
}

}  // namespace

Status replace_file(const std::string& path, std::string_view text) {
  std::string target = path;
  if (const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
      real) {
    target = real.get();
  }
  struct stat old{};
  const bool exists = ::stat(target.c_str(), &old) == 0;
  if (exists && !S_ISREG(old.st_mode)) return write_in_place(path, text);

  Temporary temporary(target);
  if (temporary.fd() < 0) return system_failure(path);
  Descriptor file(temporary.fd());
  const mode_t mode = exists ? old.st_mode & 07777 : new_file_mode();
  const bool written = ::fchmod(file.get(), mode) == 0 && write_all(file.get(), text) &&
                       ::fsync(file.get()) == 0 && file.close() && temporary.rename_to(target);
  if (!written) return system_failure(path);
  sync_folder(target);
  return {};
}

}  // namespace sluice
