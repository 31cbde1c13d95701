#include "nodes/video/pipe_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

namespace sluice {
namespace {

constexpr int kBufferBytes = 65536;  // what a pipe of Linux holds
constexpr int kPollMs = 50;

}  // namespace

bool PipeReader::reads(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  return std::filesystem::is_fifo(status) || std::filesystem::is_character_file(status);
}

Result<std::unique_ptr<PipeReader>> PipeReader::open(const std::string& path, const std::string& name,
                                                     std::function<bool()> should_stop) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0)
    return failed(fmt::format("{}: cannot be opened: {}", name, std::generic_category().message(errno)));
  std::unique_ptr<PipeReader> reader(new PipeReader(descriptor, std::move(should_stop)));
  if (reader->context_ == nullptr) return failed(fmt::format("{}: out of memory", name));
  return reader;
}

PipeReader::PipeReader(int descriptor, std::function<bool()> should_stop)
    : descriptor_(descriptor), should_stop_(std::move(should_stop)) {
  auto* buffer = static_cast<unsigned char*>(av_malloc(kBufferBytes));
  if (buffer == nullptr) return;
  context_ = avio_alloc_context(buffer, kBufferBytes, 0, this, &PipeReader::read, nullptr, nullptr);
  if (context_ != nullptr)
    context_->seekable = 0;
  else
    av_free(buffer);
}

PipeReader::~PipeReader() {
  if (context_ != nullptr)
    av_freep(static_cast<void*>(&context_->buffer));  // FFmpeg may have taken another one meanwhile
  avio_context_free(&context_);
  ::close(descriptor_);
}

int PipeReader::wait() {
  pollfd ready{descriptor_, POLLIN, 0};
  while (true) {
    if (should_stop_()) return AVERROR_EXIT;
    const int count = ::poll(&ready, 1, kPollMs);
    if (count > 0) return 0;  // a pipe that nobody has opened for writing yet is not ready
    if (count < 0 && errno != EINTR) return AVERROR(errno);
  }
}

int PipeReader::read(void* self, std::uint8_t* to, int size) {
  auto& reader = *static_cast<PipeReader*>(self);
  while (true) {
    if (const int error = reader.wait(); error != 0) return error;
    const auto got = ::read(reader.descriptor_, to, static_cast<std::size_t>(size));
    if (got > 0) return static_cast<int>(got);
    if (got == 0) return AVERROR_EOF;
    if (errno != EINTR && errno != EAGAIN) return AVERROR(errno);
  }
}

}  // namespace sluice
