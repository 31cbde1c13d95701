// The part of image_source that needs FFmpeg.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "framework/core/log.h"
#include "nodes/video/converter.h"
#include "nodes/video/decoder.h"
#include "nodes/video/picture.h"
#include "nodes/video/picture_file.h"
#include "nodes/video/rotate.h"

namespace sluice {
namespace {

constexpr double kPicturesPerSecond = 30.0;      // of media time: pictures have none of their own
constexpr std::size_t kHeaderBytes = 256 << 10;  // a JPEG's size may stand behind its thumbnail and profile

// Thread: probe in the opening one, next in the source's own, interrupt in any.
class PictureSource final : public SourceNode {
 public:
  PictureSource() : packet_(av_packet_alloc()), frame_(av_frame_alloc()) { install_libav_log(); }

  Result<SourceInfo> probe(const OpenContext& context) override;
  Result<Capture> next(SourceContext& context) override;
  void interrupt() override { interrupted_.store(true, std::memory_order_relaxed); }

 private:
  // Reads and decodes one file into frame_.
  Status decode(const std::string& path);
  Status open_decoder(AVCodecID codec);
  ImageType type_of_picture() const;
  // What a buffer needs for any picture of that size: three bytes a pixel.
  static Result<std::size_t> bytes_for(int width, int height);
  void measure_all();
  void count_broken(SourceContext& context, std::size_t file, const Status& why);
  Result<Packet> make_packet(SourceContext& context);

  std::vector<std::string> files_;
  std::vector<bool> said_broken_;  // one per file
  std::uint64_t captures_ = 0;     // files_ × repeat
  std::uint64_t number_ = 0;
  SourceInfo info_;
  Decoder decoder_;
  Converter converter_;
  LibavPtr<AVPacket> packet_;
  LibavPtr<AVFrame> frame_;
  std::vector<std::uint8_t> bytes_;
  std::atomic<bool> interrupted_{false};
};

Result<std::size_t> PictureSource::bytes_for(int width, int height) {
  return image_bytes({PixelFormat::kI444, width, height, {}, 0});
}

Result<SourceInfo> PictureSource::probe(const OpenContext& context) {
  SLUICE_ASSIGN(files_, list_pictures(context.options->text("path"), context.options->flag("recursive")));
  said_broken_.assign(files_.size(), false);
  captures_ = files_.size() * static_cast<std::uint64_t>(context.options->integer("repeat"));
  info_.only_computes = true;
  info_.frames = static_cast<std::int64_t>(captures_);
  Status first_failure;
  for (const std::string& file : files_) {
    if (interrupted_.load(std::memory_order_relaxed)) return cancelled("opening pictures was stopped");
    const Status status = decode(file);
    if (!status.ok()) {
      if (first_failure.ok()) first_failure = status;
      continue;
    }
    info_.type = type_of_picture();
    SLUICE_ASSIGN(info_.buffer_bytes, bytes_for(frame_->width, frame_->height));
    measure_all();
    return info_;
  }
  return files_.size() == 1
             ? first_failure
             : first_failure.with_context(fmt::format("none of {} files is a picture that can be decoded; "
                                                      "the first: ",
                                                      files_.size()));
}

void PictureSource::measure_all() {
  for (const std::string& file : files_) {
    if (interrupted_.load(std::memory_order_relaxed)) return;
    if (!read_picture(file, bytes_, kHeaderBytes).ok()) continue;
    const std::optional<PictureSize> size = picture_size(bytes_);
    if (!size) continue;
    const Result<std::size_t> bytes = bytes_for(size->width, size->height);
    if (bytes.ok()) info_.buffer_bytes = std::max(info_.buffer_bytes, *bytes);
  }
}

Status PictureSource::open_decoder(AVCodecID codec) {
  AVCodecParameters* parameters = avcodec_parameters_alloc();
  if (parameters == nullptr) return failed("out of memory");
  parameters->codec_type = AVMEDIA_TYPE_VIDEO;
  parameters->codec_id = codec;
  Status status = decoder_.open(*parameters, {1, 1000}, nullptr, true);
  avcodec_parameters_free(&parameters);
  return status;
}

Status PictureSource::decode(const std::string& path) {
  SLUICE_RETURN_IF_ERROR(read_picture(path, bytes_));
  const std::span<const std::uint8_t> content(bytes_.data(), bytes_.size() - AV_INPUT_BUFFER_PADDING_SIZE);
  const AVCodecID codec = picture_codec(content);
  if (codec == AV_CODEC_ID_NONE)
    return failed(fmt::format("'{}' is no JPEG, PNG, BMP, WebP, TIFF or PNM picture", path));
  if (!has_end(content)) return failed(fmt::format("'{}' is cut off: its end is missing", path));
  SLUICE_RETURN_IF_ERROR(open_decoder(codec).with_context(fmt::format("'{}': ", path)));
  packet_->data = bytes_.data();  // bytes_ outlives the decoding
  packet_->size = static_cast<int>(content.size());
  forget_libav_log();
  Decoder::Step step = decoder_.send(packet_.get(), 0);
  if (step == Decoder::Step::kNeedsPacket) step = decoder_.send(nullptr, 0);
  if (step == Decoder::Step::kNeedsPacket) step = decoder_.receive(*frame_);
  if (step == Decoder::Step::kPicture) return {};
  av_frame_unref(frame_.get());
  return failed(fmt::format("'{}' is broken or cut off: {}", path, libav_error(AVERROR_INVALIDDATA)));
}

ImageType PictureSource::type_of_picture() const {
  const std::optional<Orientation> orientation = orientation_of(*frame_);
  ImageType type = type_of(*frame_, orientation ? orientation->rotation : 0);
  if (type.color.range == ColorRange::kUnspecified) type.color.range = ColorRange::kFull;
  return type;
}

// Said once per file: with `repeat` it comes again and again.
void PictureSource::count_broken(SourceContext& context, std::size_t file, const Status& why) {
  context.corrupt();
  if (said_broken_[file]) return;
  said_broken_[file] = true;
  log_message(LogLevel::kWarning, why.message() + "; counted as corrupt and left out");
}

Result<Capture> PictureSource::next(SourceContext& context) {
  while (number_ < captures_) {
    if (interrupted_.load(std::memory_order_relaxed) || context.stopping())
      return cancelled("reading pictures was stopped");
    const std::uint64_t number = number_++;
    Capture capture;
    capture.captured = context.clock().now();
    capture.media_time =
        static_cast<TimeNs>(std::llround(static_cast<double>(number) * 1e9 / kPicturesPerSecond));
    const auto file = static_cast<std::size_t>(number % files_.size());
    if (const Status status = decode(files_[file]); !status.ok()) {
      count_broken(context, file, status);
      continue;
    }
    SLUICE_ASSIGN(capture.packet, make_packet(context));
    return capture;
  }
  return end_of_stream();
}

Result<Packet> PictureSource::make_packet(SourceContext& context) {
  const ImageType type = type_of_picture();
  SLUICE_ASSIGN(const std::size_t needed, bytes_for(type.width, type.height));
  if (needed > info_.buffer_bytes) {
    info_.type = type;
    info_.buffer_bytes = needed;
    SLUICE_RETURN_IF_ERROR(context.source_changed(info_));
  }
  SLUICE_ASSIGN(Packet packet, context.make_image(type));
  SLUICE_RETURN_IF_ERROR(converter_.convert(*frame_, *packet.edit<Image>()));
  if (const auto orientation = orientation_of(*frame_); orientation && orientation->mirrored)
    mirror(*packet.edit<Image>());
  return packet;
}

}  // namespace
}  // namespace sluice

extern "C" sluice::Node* sluice_picture_source() { return new sluice::PictureSource(); }
