// Reads the packets of the one video stream of a file or address.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "framework/core/clock.h"
#include "framework/core/status.h"
#include "nodes/video/libav.h"
#include "nodes/video/pipe_reader.h"
#include "nodes/video_uri.h"

namespace sluice {

// One thread; `interrupt` from any.
class Demuxer {
 public:
  enum class Read {
    kPacket,  // one was read
    kEnd,     // the stream ended as it should
    kBroken,  // a part of it is unreadable; the next call goes on behind it
    kFailed,  // no more can be read; `failure` says why
  };

  Demuxer();
  ~Demuxer();
  Demuxer(const Demuxer&) = delete;

  // Opens and finds the video stream. `timeout` is for all of it, and later for each `read`. Messages quote
  // the address without passwords. kFailed, kTimeout, kCancelled. May be called again after `close`.
  Status open(const VideoUri& uri, TimeNs timeout);
  void close();

  // Overwrites `packet`.
  Read read(AVPacket& packet);
  const Status& failure() const { return failure_; }
  // Back to the first picture; fails where the container cannot (then close and open again).
  Status rewind();

  // Makes this and every later call fail with kCancelled.
  void interrupt() { interrupted_.store(true, std::memory_order_relaxed); }
  bool interrupted() const { return interrupted_.load(std::memory_order_relaxed); }

  const AVStream& stream() const { return *stream_; }
  const std::string& name() const { return name_; }  // for messages: 'address' without passwords
  bool live() const { return live_; }
  // False: of a camera's pictures libavformat only makes believe that they come 25 times a second.
  bool has_stamps() const;
  bool reads_regular_file() const;  // not a network, pipe or device, which may keep a reader waiting
  double fps() const;               // 0: unknown
  std::int64_t frames() const;      // -1: unknown

 private:
  static int should_stop(void* self);
  Status open_input(const VideoUri& uri);
  Status choose_stream();
  // "3 of 30 pictures", "1000 of 2000 bytes": of a file that ended before what it says of itself; else empty.
  std::string part_read() const;
  void start_deadline();
  bool deadline_passed() const;
  bool ran_out(int error) const;
  bool closed_at_an_unknown_size(int error) const;
  // Why a call failed with `error`, in words.
  Status explain(int error, std::string_view what) const;

  std::string name_;
  std::string path_;  // of a file
  AVFormatContext* format_ = nullptr;
  const AVStream* stream_ = nullptr;
  bool live_ = false;
  bool network_ = false;
  std::unique_ptr<PipeReader> pipe_;  // outlives format_
  int broken_in_a_row_ = 0;
  int packets_ = 0;  // read since the start
  Status failure_;
  TimeNs timeout_ = 0;
  TimeNs deadline_ = 0;  // steady time: a stalled network does not wait for the run's clock
  std::atomic<bool> interrupted_{false};
};

}  // namespace sluice
