// A file that is written by FFmpeg's muxers or as a whole, with the system's own words when that fails.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "framework/core/status.h"
#include "nodes/video/libav.h"

namespace sluice {

// Whether `path` could be made: its folder exists, it is no folder itself, and it does not exist yet unless
// `overwrite`. Touches nothing.
Status check_output(const std::string& path, bool overwrite);

// One thread.
class OutputFile {
 public:
  OutputFile() = default;
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;

  // Makes the file; without `overwrite` only if nothing is there.
  Status create(const std::string& path, bool overwrite);
  Status write(std::span<const std::uint8_t> bytes);
  // For a muxer; null when out of memory. Valid until `close`; owned here.
  AVIOContext* io();
  // The first failure of any write, ok if there was none.
  Status status() const;
  // Writes what is buffered, closes, and reports the first failure of all.
  Status close();
  bool is_open() const { return fd_ >= 0; }

 private:
#if LIBAVFORMAT_VERSION_MAJOR >= 61
  using IoBytes = const std::uint8_t;
#else
  using IoBytes = std::uint8_t;
#endif
  static int write_packet(void* self, IoBytes* data, int size);
  static std::int64_t seek(void* self, std::int64_t offset, int whence);
  int write_all(const std::uint8_t* data, std::size_t size);
  // Writes what is buffered and closes; the first failure of all stays in error_.
  void release();

  std::string path_;
  int fd_ = -1;
  int error_ = 0;  // errno of the first failure
  AVIOContext* io_ = nullptr;
};

}  // namespace sluice
