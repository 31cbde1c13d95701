#include "framework/core/temporary_folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <set>
#include <utility>

namespace sluice {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kRandom = 6;  // characters of mkdtemp's choice at the end of a name

// Every folder of this process. Never destroyed: objects may outlive statics.
struct Register {
  std::mutex mutex;
  std::set<std::string> paths;
};

Register& all() {
  static auto* const kAll = new Register;
  return *kAll;
}

void remove_tree(const std::string& path) {
  std::error_code ignored;
  fs::remove_all(path, ignored);
}

int open_folder(const std::string& path) {
  return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

// Whether `path` still names the user's folder that is open as `fd`.
bool is_still_there(const std::string& path, int fd) {
  struct stat open{}, named{};
  return ::fstat(fd, &open) == 0 && open.st_uid == ::geteuid() && ::lstat(path.c_str(), &named) == 0 &&
         named.st_ino == open.st_ino && named.st_dev == open.st_dev;
}

// Removes a folder that other threads may still fill, or are about to rename to their result: first it gets
// another name of its kind, in one step. Whoever comes after that by its old one finds nothing.
void take_away(const std::string& path) {
  std::string taken = path.substr(0, path.size() - kRandom) + "XXXXXX";
  if (!::mkdtemp(taken.data())) return remove_tree(path);
  if (::rename(path.c_str(), taken.c_str()) != 0) {
    ::rmdir(taken.c_str());
    return;
  }
  // A file that was being made at the old name may come while the folder is emptied.
  constexpr int kTries = 100;
  for (int i = 0; i < kTries && fs::exists(fs::symlink_status(taken)); ++i) remove_tree(taken);
}

// What other threads would say of folders that vanish is nothing to the user.
void silence() {
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere < 0) return;
  ::dup2(nowhere, STDOUT_FILENO);
  ::dup2(nowhere, STDERR_FILENO);
}

// Of processes that were killed: nobody holds their lock.
void remove_leftovers(const fs::path& parent, const std::string& prefix) {
  std::error_code error;
  for (fs::directory_iterator entry(parent, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(prefix) || name.size() != prefix.size() + kRandom) continue;
    const std::string path = entry->path().string();
    const int lock = open_folder(path);
    if (lock < 0) continue;
    if (::flock(lock, LOCK_EX | LOCK_NB) == 0 && is_still_there(path, lock)) remove_tree(path);
    ::close(lock);
  }
}

}  // namespace

Result<TemporaryFolder> TemporaryFolder::make_in(const std::string& parent, const std::string& prefix) {
  remove_leftovers(parent, prefix);
  const std::lock_guard guard(all().mutex);
  for (;;) {
    std::string name = (fs::path(parent) / (prefix + "XXXXXX")).string();
    if (!::mkdtemp(name.data())) return failed(std::strerror(errno));
    const int lock = open_folder(name);
    // Before it was opened too, another process may have taken it for a leftover.
    if (lock < 0 && errno == ENOENT) continue;
    // Some network file systems have no locks: a leftover stays there.
    if (lock >= 0) (void)::flock(lock, LOCK_EX);
    // Before it was locked, another process may have taken it for a leftover.
    if (lock >= 0 && !is_still_there(name, lock)) {
      ::close(lock);
      continue;
    }
    all().paths.insert(name);
    return TemporaryFolder(name, lock);
  }
}

Result<TemporaryFolder> TemporaryFolder::make(std::string_view kind) {
  std::error_code error;
  const fs::path parent = fs::temp_directory_path(error);
  const auto named = [](const std::string& why) { return failed("no temporary folder can be made: " + why); };
  if (error) return named(error.message());
  auto made = make_in(parent.string(), "sluice-" + std::string(kind) + "-");
  return made.ok() ? std::move(made) : named(made.status().message());
}

Result<TemporaryFolder> TemporaryFolder::make_beside(const std::string& path) {
  const fs::path beside = fs::path(path).lexically_normal();
  const fs::path file = beside.has_filename() ? beside : beside.parent_path();
  const fs::path parent = file.parent_path().empty() ? fs::path(".") : file.parent_path();
  return make_in(parent.string(), "." + file.filename().string() + ".sluice-");
}

TemporaryFolder::TemporaryFolder(TemporaryFolder&& other) noexcept
    : path_(std::exchange(other.path_, {})), lock_(std::exchange(other.lock_, -1)) {}

TemporaryFolder& TemporaryFolder::operator=(TemporaryFolder&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(lock_, other.lock_);
  return *this;
}

TemporaryFolder::~TemporaryFolder() {
  if (!path_.empty()) remove_tree(path_);
  keep();  // only now: a signal in the middle removes the rest
  if (lock_ >= 0) ::close(lock_);
}

void TemporaryFolder::keep() {
  if (path_.empty()) return;
  const std::lock_guard guard(all().mutex);
  all().paths.erase(std::exchange(path_, {}));
}

std::error_code make_folders(const fs::path& path) {
  std::error_code error;
  const std::lock_guard guard(all().mutex);
  fs::create_directories(path, error);
  return error;
}

void end_without_temporaries(int code) {
  all().mutex.lock();
  if (!all().paths.empty()) silence();
  for (const std::string& path : all().paths) take_away(path);
  ::_exit(code);
}

}  // namespace sluice
