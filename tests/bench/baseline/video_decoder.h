// Decodes one H.264 file with libavcodec in one thread, as often as asked, without opening it again.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/pixdesc.h>
}

#include <cstdio>
#include <cstdlib>
#include <string>

#include "measure.h"

namespace baseline {

[[noreturn]] inline void fail(const std::string& what) {
  std::fprintf(stderr, "error: %s\n", what.c_str());
  std::exit(1);
}

class VideoDecoder {
 public:
  VideoDecoder(const Options& options) : loops_(options.loops), fps_(options.fps) {
    if (avformat_open_input(&format_, options.video.c_str(), nullptr, nullptr) < 0)
      fail("cannot open " + options.video);
    if (avformat_find_stream_info(format_, nullptr) < 0) fail("no stream information");
    const AVCodec* codec = nullptr;
    stream_ = av_find_best_stream(format_, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
    if (stream_ < 0 || codec == nullptr) fail("no video stream");
    for (unsigned i = 0; i < format_->nb_streams; ++i) {
      if (static_cast<int>(i) != stream_) format_->streams[i]->discard = AVDISCARD_ALL;
    }
    codec_ = avcodec_alloc_context3(codec);
    avcodec_parameters_to_context(codec_, format_->streams[stream_]->codecpar);
    codec_->thread_count = 1;
    if (avcodec_open2(codec_, codec, nullptr) < 0) fail("cannot open the decoder");
    if (codec_->pix_fmt != AV_PIX_FMT_YUV420P) fail("only yuv420p is supported");
    packet_ = av_packet_alloc();
  }

  ~VideoDecoder() {
    av_packet_free(&packet_);
    avcodec_free_context(&codec_);
    avformat_close_input(&format_);
  }

  VideoDecoder(const VideoDecoder&) = delete;
  VideoDecoder& operator=(const VideoDecoder&) = delete;

  int width() const { return codec_->width; }
  int height() const { return codec_->height; }

  // The next picture, by reference to the decoder's buffer; false at the end of the last loop. When paced, it
  // waits until the picture is due and decodes then, as a camera would deliver it.
  bool next(AVFrame* frame, Stamps& stamps) {
    if (fps_ > 0.0) {
      if (number_ == 0) first_due_ns_ = now_ns();
      stamps.start_ns = first_due_ns_ + static_cast<int64_t>(static_cast<double>(number_) * 1e9 / fps_);
      sleep_until_ns(stamps.start_ns);
    }
    if (!decode(frame, stamps)) return false;
    stamps.decoded_ns = now_ns();
    ++number_;
    return true;
  }

 private:
  bool decode(AVFrame* frame, Stamps& stamps) {
    for (;;) {
      const int got = avcodec_receive_frame(codec_, frame);
      if (got == 0) return true;
      if (got == AVERROR_EOF) {
        if (--loops_ == 0) return false;
        avcodec_flush_buffers(codec_);
        if (av_seek_frame(format_, stream_, 0, AVSEEK_FLAG_BACKWARD) < 0) fail("cannot seek to the start");
      } else if (got != AVERROR(EAGAIN)) {
        fail("decoding failed");
      }
      send_packet(stamps);
    }
  }

  // Hands one packet of the video stream (or the end of the file) to the decoder.
  void send_packet(Stamps& stamps) {
    int got = 0;
    do {
      av_packet_unref(packet_);
      got = av_read_frame(format_, packet_);
    } while (got == 0 && packet_->stream_index != stream_);
    if (fps_ == 0.0) stamps.start_ns = now_ns();
    if (avcodec_send_packet(codec_, got == 0 ? packet_ : nullptr) < 0) fail("the decoder refused a packet");
  }

  int loops_;
  double fps_;
  int stream_ = -1;
  int64_t number_ = 0;
  int64_t first_due_ns_ = 0;
  AVFormatContext* format_ = nullptr;
  AVCodecContext* codec_ = nullptr;
  AVPacket* packet_ = nullptr;
};

}  // namespace baseline
