// Reads a video from a pipe or a character device: what FFmpeg's own file protocol cannot be stopped at.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "framework/core/status.h"
#include "nodes/video/libav.h"

namespace sluice {

// One thread. `should_stop` is asked twenty times a second while nothing comes.
class PipeReader {
 public:
  // True for what is read by this class: a FIFO or a character device.
  static bool reads(const std::string& path);
  // Returns at once, also where nobody writes to the pipe yet: the first read waits. kFailed.
  static Result<std::unique_ptr<PipeReader>> open(const std::string& path, const std::string& name,
                                                  std::function<bool()> should_stop);
  ~PipeReader();
  PipeReader(const PipeReader&) = delete;

  // For AVFormatContext::pb; owned by this object. Reads of it fail with AVERROR_EXIT when asked to stop.
  AVIOContext* context() { return context_; }

 private:
  PipeReader(int descriptor, std::function<bool()> should_stop);
  static int read(void* self, std::uint8_t* to, int size);
  // 0: something is there or the writer has gone; else an AVERROR.
  int wait();

  const int descriptor_;
  const std::function<bool()> should_stop_;
  AVIOContext* context_ = nullptr;
};

}  // namespace sluice
