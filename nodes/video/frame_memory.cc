#include "nodes/video/frame_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "nodes/video/picture.h"

namespace sluice {
namespace {

constexpr std::size_t kPlaneAlign = 64;
constexpr std::size_t kPlanePadding = 16 + kPlaneAlign;  // decoders read a little past a plane's end

std::size_t aligned(std::size_t n) { return (n + kPlaneAlign - 1) / kPlaneAlign * kPlaneAlign; }

// Strides with which every plane is aligned as the decoder wants it, keeping their ratio, as libavcodec's own
// allocator does (update_frame_pool in libavcodec/get_buffer.c).
int fill_strides(AVPixelFormat format, int width, const std::array<int, AV_NUM_DATA_POINTERS>& align,
                 std::array<int, 4>& strides) {
  bool unaligned = true;
  while (unaligned) {
    const int error = av_image_fill_linesizes(strides.data(), format, width);
    if (error < 0) return error;
    width += width & ~(width - 1);
    unaligned = false;
    for (std::size_t p = 0; p < strides.size(); ++p) unaligned |= align[p] > 0 && strides[p] % align[p] != 0;
  }
  return 0;
}

// Pictures a decoder may hold at once: references, those waiting to be put in order, and three around the
// current one.
int buffers_held(const AVCodecContext& codec) {
  constexpr int kAround = 3;
  switch (codec.codec_id) {
    case AV_CODEC_ID_H264:
      return std::clamp(codec.refs, 1, 16) + codec.has_b_frames + kAround;
    case AV_CODEC_ID_HEVC:
      return 16 + 1 + kAround;  // sps_max_dec_pic_buffering is not told outside
    case AV_CODEC_ID_VP9:
    case AV_CODEC_ID_AV1:
      return 8 + kAround;
    default:
      break;
  }
  const AVCodecDescriptor* descriptor = avcodec_descriptor_get(codec.codec_id);
  const bool intra_only = descriptor != nullptr && (descriptor->props & AV_CODEC_PROP_INTRA_ONLY) != 0;
  return intra_only ? 2 : 4 + kAround;
}

bool same_size(const ImageType& a, const ImageType& b) {
  return a.width == b.width && a.height == b.height && a.format == b.format;
}

}  // namespace

// Planes of one picture in one buffer, as the decoder wants them aligned.
struct FrameMemory::Layout {
  std::array<int, 4> strides{};
  std::array<std::size_t, 4> offsets{};
  std::size_t bytes = 0;

  int fill(AVCodecContext& codec, const AVFrame& frame);
};

int FrameMemory::Layout::fill(AVCodecContext& codec, const AVFrame& frame) {
  int width = frame.width;
  int height = frame.height;
  std::array<int, AV_NUM_DATA_POINTERS> align{};
  avcodec_align_dimensions2(&codec, &width, &height, align.data());
  const auto format = static_cast<AVPixelFormat>(frame.format);
  int error = fill_strides(format, width, align, strides);
  if (error < 0) return error;
  std::array<std::ptrdiff_t, 4> wide{};
  std::copy(strides.begin(), strides.end(), wide.begin());
  std::array<std::size_t, 4> sizes{};
  error = av_image_fill_plane_sizes(sizes.data(), format, height, wide.data());
  if (error < 0) return error;
  for (std::size_t p = 0; p < sizes.size() && sizes[p] > 0; ++p) {
    offsets[p] = bytes;
    bytes += aligned(sizes[p] + kPlanePadding);
  }
  return 0;
}

void FrameMemory::limit(int max_width, int max_height) {
  max_width_ = max_width;
  max_height_ = max_height;
}

Status FrameMemory::prepare() {
  if (context_ == nullptr || spare_ || announced_.decoder_buffers == 0) return {};
  Result<BufferRef> buffer = context_->acquire_buffer(announced_.buffer_bytes);
  if (!buffer.ok()) return buffer.status().code() == Code::kPoolEmpty ? Status{} : buffer.status();
  spare_ = *std::move(buffer);
  return {};
}

bool FrameMemory::can_hold(const AVCodecContext& codec, AVPixelFormat format) {
  return (codec.codec->capabilities & AV_CODEC_CAP_DR1) != 0 && direct_format(format) != PixelFormat::kNone &&
         !is_limited_gray(format, codec.color_range);
}

Status FrameMemory::update_need(AVCodecContext& codec, const AVFrame& frame, Layout& layout) {
  if (codec.width > max_width_ || codec.height > max_height_) {
    return failed(fmt::format(
        "the picture has {}x{} pixels, more than max_width x max_height ({}x{}) allow; raise them "
        "if that much memory may be used",
        codec.width, codec.height, max_width_, max_height_));
  }
  const auto format = static_cast<AVPixelFormat>(frame.format);
  needed_.type = make_type(format, codec.width, codec.height,
                           color_of(codec.colorspace, codec.color_range, format), rotation_);
  if (!can_hold(codec, format)) {
    needed_.decoder_buffers = 0;
    SLUICE_ASSIGN(needed_.buffer_bytes, image_bytes(needed_.type));
    return {};
  }
  if (const int error = layout.fill(codec, frame); error < 0) return failed(libav_error(error));
  needed_.decoder_buffers = buffers_held(codec);
  needed_.buffer_bytes = layout.bytes;
  return {};
}

Status FrameMemory::announce() {
  if (context_ == nullptr) return {};
  if (same_size(needed_.type, announced_.type) && needed_.buffer_bytes <= announced_.buffer_bytes &&
      needed_.decoder_buffers <= announced_.decoder_buffers) {
    return {};
  }
  spare_.reset();
  SourceInfo info = announced_;
  info.type = needed_.type;
  info.buffer_bytes = needed_.buffer_bytes;
  info.decoder_buffers = needed_.decoder_buffers;
  SLUICE_RETURN_IF_ERROR(context_->source_changed(info));
  announced_ = info;
  return {};
}

// Read-only: decoders that paint each picture over the one before (qtrle, cinepak, flashsv and others, by
// libavcodec's ff_reget_buffer) do so in the same memory while it is writable, and here the graph still reads
// it. Then they ask for new memory, and copy.
AVBufferRef* FrameMemory::lend(const Layout& layout) {
  auto* data = reinterpret_cast<std::uint8_t*>(spare_.data());
  return lender_.lend(std::move(spare_), data, layout.bytes, AV_BUFFER_FLAG_READONLY);
}

// The same decoders would paint into it for good, and no picture would have a buffer again: a reference
// beside theirs keeps them from that.
int FrameMemory::get_own(AVCodecContext& codec, AVFrame& frame, int flags) {
  own_.reset();
  const int error = avcodec_default_get_buffer2(&codec, &frame, flags);
  if (error >= 0 && context_ != nullptr) own_.reset(av_buffer_ref(frame.buf[0]));
  return error;
}

int FrameMemory::get(AVCodecContext& codec, AVFrame& frame, int flags) {
  Layout layout;
  Status status = update_need(codec, frame, layout);
  if (status.ok()) status = announce();
  const bool pooled = context_ != nullptr && needed_.decoder_buffers > 0;
  if (status.ok() && pooled) status = prepare();
  if (!status.ok()) {
    failure_ = std::move(status);
    return AVERROR_EXTERNAL;
  }
  if (!pooled || !spare_) return get_own(codec, frame, flags);
  own_.reset();
  auto* data = reinterpret_cast<std::uint8_t*>(spare_.data());
  frame.buf[0] = lend(layout);
  if (frame.buf[0] == nullptr) return AVERROR(ENOMEM);
  for (std::size_t p = 0; p < layout.strides.size() && layout.strides[p] > 0; ++p) {
    frame.data[p] = data + layout.offsets[p];
    frame.linesize[p] = layout.strides[p];
  }
  frame.extended_data = frame.data;
  return 0;
}

BufferRef FrameMemory::buffer_of(const AVFrame& frame) const {
  const BufferRef* buffer = lender_.find(frame.buf[0]);
  return buffer != nullptr ? *buffer : BufferRef{};
}

void FrameMemory::release() {
  spare_.reset();
  own_.reset();
  context_ = nullptr;
}

std::optional<Status> FrameMemory::take_failure() { return std::exchange(failure_, std::nullopt); }

}  // namespace sluice
