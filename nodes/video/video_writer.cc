// The part of video_sink that needs FFmpeg.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "framework/core/log.h"
#include "framework/node/late_loss.h"
#include "framework/node/node.h"
#include "nodes/video/encoder.h"
#include "nodes/video/output_file.h"
#include "nodes/video/picture_preparer.h"

namespace sluice {
namespace {

constexpr std::array<const char*, 2> kEncoders = {"libx264", "mpeg4"};
constexpr int kTicks = 12000;  // per second, for containers with free time stamps
// Between two pictures: 46 h, for an .mp4's times have 31 bits; FFmpeg fills an .avi with empty pictures, up
// to a number.
constexpr std::int64_t kLongestGapTicks = 2'000'000'000;
constexpr std::int64_t kLongestGapAviPictures = 60'000;
constexpr int kLeastSide = 2;
constexpr double kAssumedRate = 30.0;  // where neither the option nor the source says

// 4:2:0 needs even sides: an odd last row or column is cut, a single one is doubled.
int file_side(int side) { return std::max(kLeastSide, side & ~1); }

class VideoWriter final : public Node, public LateLoss {
 public:
  VideoWriter() : packet_(av_packet_alloc()) { install_libav_log(); }
  ~VideoWriter() override { avformat_free_context(format_); }

  Status open(const OpenContext& context) override;
  Status process(Context& context) override;
  Status close() override;
  std::uint64_t unwritten() const override { return broken_ ? taken_ - kept_ : 0; }

 private:
  Status take(const Packet& packet, const Image& image, const FrameInfo& frame);
  Status finish_file();
  void count_kept(bool something_was_written);
  Status begin(const Image& first, const FrameInfo& frame);
  ImageType file_type(const Image& first);
  void say_odd_sides(const ImageType& upright) const;
  void choose_rate(const FrameInfo& frame);
  Status start_file();
  std::int64_t time_stamp(const FrameInfo& frame);
  std::int64_t shortened(std::int64_t stamp);
  Status drain();

  std::string path_;
  bool overwrite_ = false;
  int quality_ = 60;
  double asked_fps_ = 0;
  std::vector<double> source_rates_;
  bool constant_rate_ = false;  // the container has only numbers, no time stamps

  ImageType type_;  // of the file
  AVRational rate_{30, 1};
  AVRational time_base_{1, kTicks};
  TimeNs first_time_ = 0;
  std::int64_t last_stamp_ = -1;
  std::int64_t cut_ = 0;  // ticks that were left out of gaps
  std::int64_t written_ = 0;
  bool said_scaling_ = false;

  PicturePreparer preparer_;
  Encoder encoder_;
  OutputFile file_;
  AVFormatContext* format_ = nullptr;  // owned
  AVStream* stream_ = nullptr;
  LibavPtr<AVPacket> packet_;
  bool begun_ = false;      // the file's header is written
  Status cannot_begin_;     // why not; a second try would meet the first one's file
  bool needs_end_ = false;  // the container can be read only when its end is there too
  bool gathers_ = false;    // the container writes its packets in clusters
  bool broken_ = false;     // something could not be written
  std::uint64_t taken_ = 0;
  std::uint64_t held_ = 0;  // packets that the container has not written
  std::uint64_t kept_ = 0;  // packets that are in the file for good
};

Status VideoWriter::open(const OpenContext& context) {
  const Options& options = *context.options;
  path_ = options.text("path");
  overwrite_ = options.flag("overwrite");
  quality_ = static_cast<int>(options.integer("quality"));
  asked_fps_ = options.has("fps") ? options.number("fps") : 0;
  source_rates_ = context.source_rates;
  constant_rate_ = std::filesystem::path(path_).extension() == ".avi";
  needs_end_ = std::filesystem::path(path_).extension() == ".mp4";
  gathers_ = std::filesystem::path(path_).extension() == ".mkv";
  return check_output(path_, overwrite_);
}

ImageType VideoWriter::file_type(const Image& first) {
  ImageType type = upright_type(first.type);
  if (!Encoder::takes(kEncoders, type.format)) type.format = PixelFormat::kI420;
  if (!is_yuv(first.type.format)) type.color = {};  // RGB and grey: the default matrix, limited range
  type.color = type.color.resolved(type.height);
  type.width = file_side(type.width);
  type.height = file_side(type.height);
  return type;
}

void VideoWriter::say_odd_sides(const ImageType& upright) const {
  if (upright.width == type_.width && upright.height == type_.height) return;
  const bool tiny = upright.width < kLeastSide || upright.height < kLeastSide;
  log_message(LogLevel::kWarning,
              fmt::format("'{}': a video's sides are even, the picture has {}x{}: {} and the file has {}x{}",
                          path_, upright.width, upright.height,
                          tiny ? "it is scaled up" : "its odd last column or row is left out", type_.width,
                          type_.height));
}

void VideoWriter::choose_rate(const FrameInfo& frame) {
  double fps = asked_fps_;
  if (fps <= 0 && frame.source < source_rates_.size()) fps = source_rates_[frame.source];
  if (fps <= 0) {
    fps = kAssumedRate;
    if (constant_rate_) {
      log_message(LogLevel::kWarning,
                  fmt::format("'{}': the source's rate is unknown, so the file gets {} frames per "
                              "second; option 'fps' sets another",
                              path_, fps));
    }
  }
  rate_ = av_d2q(fps, 1'000'000);
  time_base_ = constant_rate_ ? av_inv_q(rate_) : AVRational{1, kTicks};
}

Status VideoWriter::begin(const Image& first, const FrameInfo& frame) {
  type_ = file_type(first);
  say_odd_sides(upright_type(first.type));
  first_time_ = frame.media_time;
  choose_rate(frame);
  const int error = avformat_alloc_output_context2(&format_, nullptr, nullptr, path_.c_str());
  if (error < 0)
    return failed(
        fmt::format("'{}': this system's FFmpeg cannot write that container: {}", path_, libav_error(error)));
  EncoderSettings settings;
  settings.names = kEncoders;
  settings.type = type_;
  settings.time_base = time_base_;
  settings.rate = rate_;
  settings.quality = quality_;
  settings.global_header = (format_->oformat->flags & AVFMT_GLOBALHEADER) != 0;
  // An .mp4 cannot hold the distance between a picture and one that it was put behind across a long gap.
  settings.reorders = gathers_;
  SLUICE_RETURN_IF_ERROR(encoder_.open(settings).with_context(fmt::format("'{}': ", path_)));
  return start_file();
}

Status VideoWriter::start_file() {
  stream_ = avformat_new_stream(format_, nullptr);
  if (stream_ == nullptr || avcodec_parameters_from_context(stream_->codecpar, &encoder_.codec()) < 0) {
    return failed(fmt::format("'{}': out of memory", path_));
  }
  stream_->time_base = time_base_;
  stream_->avg_frame_rate = rate_;
  SLUICE_RETURN_IF_ERROR(file_.create(path_, overwrite_));
  format_->pb = file_.io();
  if (format_->pb == nullptr) return failed(fmt::format("'{}': out of memory", path_));
  format_->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_FLUSH_PACKETS;
  forget_libav_log();
  const int error = avformat_write_header(format_, nullptr);
  SLUICE_RETURN_IF_ERROR(file_.status());
  if (error < 0) return failed(fmt::format("'{}' cannot be begun: {}", path_, libav_error(error)));
  begun_ = true;
  return {};
}

std::int64_t VideoWriter::time_stamp(const FrameInfo& frame) {
  const double ticks = static_cast<double>(time_base_.den) / time_base_.num;
  const double seconds =
      asked_fps_ > 0 ? static_cast<double>(written_) / asked_fps_ : to_s(frame.media_time - first_time_);
  const std::int64_t stamp = std::max<std::int64_t>(last_stamp_ + 1, std::llround(seconds * ticks) - cut_);
  last_stamp_ = written_ == 0 ? stamp : shortened(stamp);
  ++written_;
  return last_stamp_;
}

// The media time goes on while a camera is away, for days if need be.
std::int64_t VideoWriter::shortened(std::int64_t stamp) {
  const std::int64_t longest = constant_rate_ ? kLongestGapAviPictures : kLongestGapTicks;
  const std::int64_t excess = stamp - last_stamp_ - longest;
  if (excess <= 0) return stamp;
  cut_ += excess;
  const double tick_s = av_q2d(time_base_);
  log_message(LogLevel::kWarning,
              fmt::format("'{}': no picture for {:.0f} s; this container holds gaps of {:.0f} s at most, so "
                          "all that follows is {:.0f} s earlier in the file",
                          path_, static_cast<double>(longest + excess) * tick_s,
                          static_cast<double>(longest) * tick_s, static_cast<double>(cut_) * tick_s));
  return stamp - excess;
}

Status VideoWriter::process(Context& context) {
  const Packet& packet = context.packet(0);
  const Image* image = packet.get<Image>();
  if (image == nullptr) return {};
  if (!begun_ && cannot_begin_.ok()) cannot_begin_ = begin(*image, context.frame());
  SLUICE_RETURN_IF_ERROR(cannot_begin_);
  const Status status = take(packet, *image, context.frame());
  if (status.ok()) ++taken_;
  return status;
}

Status VideoWriter::take(const Packet& packet, const Image& image, const FrameInfo& frame) {
  // Cutting an odd edge is no scaling: the planes are the same.
  ImageType wanted = type_;
  const ImageType upright = upright_type(image.type);
  if (file_side(upright.width) == type_.width && file_side(upright.height) == type_.height) {
    wanted.width = std::max(upright.width, type_.width);
    wanted.height = std::max(upright.height, type_.height);
  } else if (!std::exchange(said_scaling_, true)) {
    log_message(LogLevel::kWarning,
                fmt::format("'{}': the picture's size changed to {}x{}; it is scaled to the file's {}x{}",
                            path_, upright.width, upright.height, type_.width, type_.height));
  }
  SLUICE_ASSIGN(const Image* ready, preparer_.prepare(image, wanted));
  SLUICE_RETURN_IF_ERROR(encoder_.send(*ready, time_stamp(frame), ready == &image ? packet : Packet{}));
  return drain();
}

Status VideoWriter::drain() {
  for (;;) {
    SLUICE_ASSIGN(const bool got, encoder_.receive(*packet_));
    if (!got) return file_.status();
    packet_->stream_index = stream_->index;
    if (packet_->duration == 0) packet_->duration = av_rescale_q(1, av_inv_q(rate_), time_base_);
    av_packet_rescale_ts(packet_.get(), time_base_, stream_->time_base);
    forget_libav_log();
    const std::int64_t before = avio_tell(format_->pb);
    const int error = av_interleaved_write_frame(format_, packet_.get());
    broken_ = broken_ || error < 0 || !file_.status().ok();
    SLUICE_RETURN_IF_ERROR(file_.status());
    if (error < 0) return failed(fmt::format("'{}' cannot be written: {}", path_, libav_error(error)));
    count_kept(avio_tell(format_->pb) > before);
  }
}

// A container that gathers packets writes those before the one that begins the next cluster.
void VideoWriter::count_kept(bool something_was_written) {
  ++held_;
  if (broken_ || !something_was_written) return;
  const std::uint64_t still_held = gathers_ ? 1 : 0;
  kept_ += held_ - still_held;
  held_ = still_held;
}

// What it says of the frames that are lost is said once, here: the frames themselves are long counted.
Status VideoWriter::close() {
  if (!begun_) return {};
  begun_ = false;
  Status status = finish_file();
  broken_ = broken_ || !status.ok();
  if (broken_ && needs_end_) kept_ = 0;
  kept_ = std::min(kept_, taken_);
  if (status.ok() || unwritten() == 0) return status;
  return failed(fmt::format("{}; {} frames that it had taken are not in it", status.message(), unwritten()));
}

Status VideoWriter::finish_file() {
  Status status = encoder_.finish();
  if (status.ok()) status = drain();
  forget_libav_log();
  const int error = av_write_trailer(format_);
  Status closed = file_.close();
  format_->pb = nullptr;
  if (!status.ok()) return status;
  if (!closed.ok()) return closed;
  return error < 0 ? failed(fmt::format("'{}' cannot be finished: {}", path_, libav_error(error))) : Status{};
}

}  // namespace
}  // namespace sluice

extern "C" sluice::Node* sluice_video_writer() { return new sluice::VideoWriter(); }
