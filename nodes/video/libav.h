// FFmpeg's libraries, wrapped: ownership and error texts. Only this folder includes them.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

#include <memory>
#include <string>
#include <string_view>

namespace sluice {

struct LibavDeleter {
  void operator()(AVCodecContext* p) const { avcodec_free_context(&p); }
  void operator()(AVFrame* p) const { av_frame_free(&p); }
  void operator()(AVPacket* p) const { av_packet_free(&p); }
  void operator()(AVBufferRef* p) const { av_buffer_unref(&p); }
  void operator()(SwsContext* p) const { sws_freeContext(p); }
};
template <typename T>
using LibavPtr = std::unique_ptr<T, LibavDeleter>;

// Takes FFmpeg's log away from stderr: its errors go to our log as debug lines, and the last one of each
// thread is kept for messages. Any number of calls, any thread.
void install_libav_log();

// Forgets this thread's last log line, before a call whose failure is to be explained.
void forget_libav_log();

// What the error number means, followed by the last log line of this thread if there is one:
// "Invalid data found when processing input (moov atom not found)". Never a password.
std::string libav_error(int error);

}  // namespace sluice
