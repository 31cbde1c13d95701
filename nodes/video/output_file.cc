#include "nodes/video/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace sluice {
namespace {

constexpr int kIoBuffer = 64 * 1024;

Status exists_already(const std::string& path) {
  return failed(
      fmt::format("'{}' exists already: set overwrite: true to replace it, or choose another path", path));
}

}  // namespace

Status check_output(const std::string& path, bool overwrite) {
  std::error_code error;
  const std::filesystem::path file(path);
  if (std::filesystem::is_directory(file, error))
    return failed(fmt::format("'{}' is a folder, not a file", path));
  if (!overwrite && std::filesystem::exists(std::filesystem::symlink_status(file, error)))
    return exists_already(path);
  const std::filesystem::path folder =
      file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  if (!std::filesystem::is_directory(folder, error)) {
    return failed(fmt::format("'{}' cannot be made: there is no folder '{}'", path, folder.string()));
  }
  return {};
}

OutputFile::~OutputFile() { release(); }

Status OutputFile::create(const std::string& path, bool overwrite) {
  path_ = path;
  error_ = 0;
  fd_ = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC | (overwrite ? O_TRUNC : O_EXCL), 0666);
  if (fd_ >= 0) return {};
  if (errno == EEXIST) return exists_already(path);
  return failed(fmt::format("'{}' cannot be made: {}", path, std::strerror(errno)));
}

int OutputFile::write_all(const std::uint8_t* data, std::size_t size) {
  while (size > 0) {
    const ssize_t n = ::write(fd_, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      if (error_ == 0) error_ = errno;
      return AVERROR(errno);
    }
    data += n;
    size -= static_cast<std::size_t>(n);
  }
  return 0;
}

Status OutputFile::write(std::span<const std::uint8_t> bytes) {
  (void)write_all(bytes.data(), bytes.size());
  return status();
}

int OutputFile::write_packet(void* self, IoBytes* data, int size) {
  const int error = static_cast<OutputFile*>(self)->write_all(data, static_cast<std::size_t>(size));
  return error < 0 ? error : size;
}

std::int64_t OutputFile::seek(void* self, std::int64_t offset, int whence) {
  if (whence == AVSEEK_SIZE) return AVERROR(ENOSYS);
  const off_t at = ::lseek(static_cast<OutputFile*>(self)->fd_, offset, whence);
  return at < 0 ? AVERROR(errno) : at;
}

AVIOContext* OutputFile::io() {
  if (io_ != nullptr) return io_;
  auto* buffer = static_cast<std::uint8_t*>(av_malloc(kIoBuffer));
  if (buffer == nullptr) return nullptr;
  io_ = avio_alloc_context(buffer, kIoBuffer, 1, this, nullptr, &OutputFile::write_packet, &OutputFile::seek);
  if (io_ == nullptr) av_free(buffer);
  return io_;
}

Status OutputFile::status() const {
  if (error_ == 0) return {};
  return failed(fmt::format("'{}' cannot be written: {}", path_, std::strerror(error_)));
}

void OutputFile::release() {
  if (io_ != nullptr) {
    avio_flush(io_);
    av_freep(static_cast<void*>(&io_->buffer));
    avio_context_free(&io_);
  }
  if (fd_ >= 0 && ::close(fd_) != 0 && error_ == 0) error_ = errno;
  fd_ = -1;
}

Status OutputFile::close() {
  release();
  return status();
}

}  // namespace sluice
