#include "nodes/json/line_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <shared_mutex>
#include <utility>

#include <fmt/format.h>

#include "framework/core/standard_output.h"

namespace sluice {
namespace {

constexpr mode_t kFileMode = 0666;  // before the umask

// Writes to stdout wait for a slow reader, also when somebody made it non-blocking.
bool wait_until_writable(int file) {
  pollfd waiting{file, POLLOUT, 0};
  return poll(&waiting, 1, -1) >= 0 || errno == EINTR;
}

}  // namespace

LineFile::~LineFile() {
  if (file_ >= 0 && !to_stdout_) ::close(file_);
}

Status LineFile::error(std::string_view doing) const {
  const int code = errno;
  const std::string name = to_stdout_ ? "standard output" : "'" + path_ + "'";
  return failed(fmt::format("cannot {} {}: {}", doing, name, std::strerror(code)));
}

Status LineFile::prepare(std::string path, bool overwrite) {
  path_ = std::move(path);
  overwrite_ = overwrite;
  to_stdout_ = path_ == "-";
  if (to_stdout_) return {};
  struct stat info{};
  if (stat(path_.c_str(), &info) != 0) {
    if (errno != ENOENT) return error("create");
    const std::filesystem::path folder = std::filesystem::path(path_).parent_path();
    if (access(folder.empty() ? "." : folder.c_str(), W_OK | X_OK) != 0) return error("create");
    return {};
  }
  if (S_ISDIR(info.st_mode)) return failed(fmt::format("cannot write '{}': it is a folder", path_));
  if (S_ISREG(info.st_mode) && !overwrite) {
    return failed(fmt::format("'{}' exists; set overwrite: true to replace it", path_));
  }
  if (access(path_.c_str(), W_OK) != 0) return error("write");
  return {};
}

Status LineFile::create() {
  if (file_ >= 0) return {};
  if (to_stdout_) {
    file_ = STDOUT_FILENO;
    return {};
  }
  struct stat info{};
  regular_ = stat(path_.c_str(), &info) != 0 || S_ISREG(info.st_mode);
  if (!regular_ && S_ISFIFO(info.st_mode)) return open_pipe();
  const int how = !regular_ ? 0 : overwrite_ ? O_CREAT | O_TRUNC : O_CREAT | O_EXCL;
  file_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC | how, kFileMode);
  return file_ < 0 ? error("create") : Status{};
}

// Does not wait for a reader, as the system would, deaf to a stop. Writing waits.
Status LineFile::open_pipe() {
  file_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK);
  if (file_ < 0 && errno == ENXIO) return timed_out("nobody reads the pipe '" + path_ + "'");
  if (file_ < 0 || ::fcntl(file_, F_SETFL, 0) != 0) return error("open");
  return {};
}

ssize_t LineFile::write_some(std::string_view bytes) const {
  std::shared_lock gate(standard_output_gate(), std::defer_lock);
  if (to_stdout_) gate.lock();
  return ::write(file_, bytes.data(), bytes.size());
}

Status LineFile::write(std::string_view line) {
  SLUICE_RETURN_IF_ERROR(create());
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = write_some(rest);
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN ? !wait_until_writable(file_) : errno != EINTR) {
      const Status status = error("write");
      if (regular_) cut_back();
      return status;
    }
  }
  size_ += static_cast<off_t>(line.size());
  return {};
}

// The part of a line that still had room goes.
void LineFile::cut_back() const {
  if (::ftruncate(file_, size_) == 0) ::lseek(file_, size_, SEEK_SET);
}

Status LineFile::close() {
  if (file_ < 0) return {};
  const int file = std::exchange(file_, -1);
  return !to_stdout_ && ::close(file) != 0 ? error("close") : Status{};
}

}  // namespace sluice
