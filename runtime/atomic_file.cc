#include "runtime/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <utility>

#include "framework/core/suggest.h"

namespace sluice {
namespace {

namespace fs = std::filesystem;

Status system_failure(const std::string& path) {
  return failed(path_in_quotes(path) + " cannot be written: " + std::strerror(errno));
}

// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
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

// Setting the umask is the only other way to read it, and for that moment every thread has the set one.
mode_t read_umask() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Umask:")) return static_cast<mode_t>(std::strtoul(line.c_str() + 6, nullptr, 8));
  }
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return mask;
}

// What a new file gets: rw for all but what the umask forbids.
mode_t new_file_mode() { return 0666 & ~read_umask(); }

// A file without a name, which is gone with the process whatever ends it; -1 where there are none.
int open_unnamed(const fs::path& folder) {
  if (::access("/proc/self/fd", X_OK) != 0) return -1;  // the way to give it a name
  return ::open(folder.empty() ? "." : folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
}

// What becomes the new file: without a name until the last moment, or under one beside the target that is
// removed unless it got the target's.
class Temporary {
 public:
  explicit Temporary(const std::string& target)
      : beside_((fs::path(target).parent_path() / ".sluice-").string()),
        fd_(open_unnamed(fs::path(target).parent_path())) {
    if (fd_ >= 0) return;
    name_ = beside_ + "XXXXXX";
    fd_ = ::mkostemp(name_.data(), O_CLOEXEC);
    if (fd_ < 0) name_.clear();
  }
  ~Temporary() {
    if (!name_.empty()) ::unlink(name_.c_str());
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  int fd() const { return fd_; }
  // While it is still open. False with errno.
  bool give_name() {
    if (!name_.empty()) return true;
    const std::string self = "/proc/self/fd/" + std::to_string(fd_);
    for (unsigned i = 0; name_.empty(); ++i) {
      const std::string name = beside_ + std::to_string(::getpid()) + "-" + std::to_string(i);
      if (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0) name_ = name;
      if (name_.empty() && errno != EEXIST) return false;
    }
    return true;
  }
  bool rename_to(const std::string& target) {
    if (::rename(name_.c_str(), target.c_str()) != 0) return false;
    name_.clear();
    return true;
  }

 private:
  const std::string beside_;  // how its names begin; short, whatever the target's name
  int fd_;
  std::string name_;  // empty: none
};

// The rename itself must survive a power cut; file systems that cannot say so are no failure.
void sync_folder(const std::string& path) {
  const fs::path parent = fs::path(path).parent_path();
  const Descriptor folder(::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() >= 0) ::fsync(folder.get());
}

// Where a symbolic link leads.
std::string target_of(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  return real ? real.get() : path;
}

}  // namespace

Result<int> open_in_place(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (std::error_code unknown; file < 0 && errno == ENXIO && fs::is_fifo(path, unknown))
    return failed(path_in_quotes(path) + " cannot be written: it is a pipe that nobody reads");
  if (file < 0 || ::fcntl(file, F_SETFL, 0) != 0) return system_failure(path);
  return file;
}

struct FileReplacement::State {
  std::string path;                      // as it was given, for messages
  std::string target;                    // what is replaced
  std::unique_ptr<Temporary> temporary;  // none: written in place
  Descriptor file{-1};
  Status failure;

  Status fail() { return failure = system_failure(path); }
};

FileReplacement::FileReplacement(std::unique_ptr<State> state) : state_(std::move(state)) {}
FileReplacement::FileReplacement(FileReplacement&&) noexcept = default;
FileReplacement& FileReplacement::operator=(FileReplacement&&) noexcept = default;
FileReplacement::~FileReplacement() = default;

Result<FileReplacement> FileReplacement::open(const std::string& path) {
  auto state = std::make_unique<State>();
  state->path = path;
  state->target = target_of(path);
  struct stat old{};
  const bool exists = ::stat(state->target.c_str(), &old) == 0;
  // A name that cannot be looked up (too long, a loop of links) cannot be given to a file either.
  if (!exists && errno != ENOENT) return system_failure(path);
  if (exists && !S_ISREG(old.st_mode)) {
    SLUICE_ASSIGN(const int file, open_in_place(path));
    state->file = Descriptor(file);
    return FileReplacement(std::move(state));
  }
  state->temporary = std::make_unique<Temporary>(state->target);
  if (state->temporary->fd() < 0) return system_failure(path);
  state->file = Descriptor(state->temporary->fd());
  const mode_t mode = exists ? old.st_mode & 07777 : new_file_mode();
  if (::fchmod(state->file.get(), mode) != 0) return system_failure(path);
  return FileReplacement(std::move(state));
}

Status FileReplacement::write(std::string_view text) {
  if (state_->failure.ok() && !write_all(state_->file.get(), text)) return state_->fail();
  return state_->failure;
}

Status FileReplacement::commit() {
  State& s = *state_;
  if (!s.failure.ok()) return s.failure;
  if (!s.temporary) return s.file.close() ? Status{} : s.fail();
  if (::fsync(s.file.get()) != 0 || !s.temporary->give_name() || !s.file.close() ||
      !s.temporary->rename_to(s.target))
    return s.fail();
  sync_folder(s.target);
  return {};
}

Status check_replaceable(const std::string& path) {
  const std::string target = target_of(path);
  struct stat old{};
  const bool special = ::stat(target.c_str(), &old) == 0 && !S_ISREG(old.st_mode);
  if (!special) return FileReplacement::open(path).status();
  // Opening a pipe would wait for its reader; a folder may be writable and is no file.
  if (S_ISDIR(old.st_mode)) errno = EISDIR;
  return S_ISDIR(old.st_mode) || ::access(target.c_str(), W_OK) != 0 ? system_failure(path) : Status{};
}

Status replace_file(const std::string& path, std::string_view text) {
  SLUICE_ASSIGN(FileReplacement file, FileReplacement::open(path));
  SLUICE_RETURN_IF_ERROR(file.write(text));
  return file.commit();
}

}  // namespace sluice
