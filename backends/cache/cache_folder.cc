#include "backends/cache/cache_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <utility>

#include "framework/core/temporary_folder.h"

namespace sluice {
namespace {

constexpr std::string_view kTemporary = ".new-";
constexpr std::time_t kLeftoverAge = 3600;  // s; no write takes that long

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  explicit operator bool() const { return value_ >= 0; }
  int get() const { return value_; }
  int release() { return std::exchange(value_, -1); }

 private:
  int value_;
};

std::string reason(int error) { return std::generic_category().message(error); }

// Empty when only we can have written it.
std::string distrust(const struct stat& info) {
  if (info.st_uid != ::geteuid())
    return "belongs to user " + std::to_string(info.st_uid) + ", not to user " + std::to_string(::geteuid());
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) return "can be written by other users";
  return {};
}

Status write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed(reason(errno));
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  // Renamed only when its content is on the disk: a power cut leaves the old entry or none.
  return ::fsync(descriptor) == 0 ? Status{} : failed(reason(errno));
}

Result<std::string> read_all(int descriptor, std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t have = 0;
  while (have < size) {
    const ssize_t got = ::read(descriptor, bytes.data() + have, size - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(reason(errno));
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

// Unique among threads and processes.
std::string temporary_name() {
  static std::atomic<unsigned> count{0};
  return std::string(kTemporary) + std::to_string(::getpid()) + "-" + std::to_string(count.fetch_add(1));
}

}  // namespace

Result<CacheFolder> CacheFolder::open(const std::string& path) {
  if (path.empty()) return unavailable("no folder for it is known (neither XDG_CACHE_HOME nor HOME is set)");
  const auto refused = [&path](const std::string& why) { return unavailable("'" + path + "' " + why); };
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  const std::error_code error = parent.empty() ? std::error_code{} : make_folders(parent);
  if (error) return refused("cannot be made: " + error.message());
  if (::mkdir(path.c_str(), S_IRWXU) != 0 && errno != EEXIST)
    return refused("cannot be made: " + reason(errno));
  Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder) {
    const int why = errno;
    return refused(why == ELOOP || why == ENOTDIR ? "is a symbolic link or no folder"
                                                  : "cannot be opened: " + reason(why));
  }
  struct stat info{};
  if (::fstat(folder.get(), &info) != 0) return refused("cannot be looked at: " + reason(errno));
  if (const std::string why = distrust(info); !why.empty()) return refused(why);
  return CacheFolder(path, folder.release());
}

CacheFolder::CacheFolder(CacheFolder&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

CacheFolder::~CacheFolder() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<std::string> CacheFolder::read(const std::string& name) const {
  // O_NONBLOCK: a named pipe in its place must not stop us.
  const Descriptor file(::openat(descriptor_, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file) {
    if (errno == ENOENT) return end_of_stream();
    return errno == ELOOP ? invalid("is a symbolic link") : failed("cannot be read: " + reason(errno));
  }
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return failed("cannot be looked at: " + reason(errno));
  if (!S_ISREG(info.st_mode)) return invalid("is no regular file");
  if (const std::string why = distrust(info); !why.empty()) return invalid(why);
  return read_all(file.get(), static_cast<std::size_t>(info.st_size));
}

Status CacheFolder::write(const std::string& name, std::string_view bytes) const {
  remove_leftovers();
  const std::string temporary = temporary_name();
  const Descriptor file(::openat(descriptor_, temporary.c_str(),
                                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!file) return failed(reason(errno));
  Status status = write_all(file.get(), bytes);
  if (status.ok() && ::renameat(descriptor_, temporary.c_str(), descriptor_, name.c_str()) != 0)
    status = failed(reason(errno));
  if (!status.ok()) remove(temporary);
  return status;
}

void CacheFolder::remove(const std::string& name) const { ::unlinkat(descriptor_, name.c_str(), 0); }

// Of processes that died while writing.
void CacheFolder::remove_leftovers() const {
  Descriptor copy(::openat(descriptor_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DIR* folder = copy ? ::fdopendir(copy.get()) : nullptr;
  if (!folder) return;
  copy.release();  // closed with `folder`
  const std::time_t now = std::time(nullptr);
  while (const dirent* entry = ::readdir(folder)) {
    struct stat info{};
    if (std::string_view(entry->d_name).starts_with(kTemporary) &&
        ::fstatat(descriptor_, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
        info.st_mtime + kLeftoverAge < now)
      remove(entry->d_name);
  }
  ::closedir(folder);
}

}  // namespace sluice
