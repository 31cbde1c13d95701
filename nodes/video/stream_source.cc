// The part of video_source that needs FFmpeg: files and network streams.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "framework/core/log.h"
#include "nodes/video/converter.h"
#include "nodes/video/decoder.h"
#include "nodes/video/demuxer.h"
#include "nodes/video/frame_memory.h"
#include "nodes/video/media_time.h"
#include "nodes/video/picture.h"
#include "nodes/video/picture_ledger.h"
#include "nodes/video_uri.h"

namespace sluice {
namespace {

constexpr TimeNs kFirstBackOff = 100'000'000;
constexpr TimeNs kLongestBackOff = 5'000'000'000;
constexpr std::size_t kProbePackets = 500;  // a stream that shows no picture by then is not worth more

// Thread: probe in the opening one, next in the source's own, interrupt in any.
class StreamSource final : public SourceNode {
 public:
  StreamSource() : packet_(av_packet_alloc()), frame_(av_frame_alloc()) {}

  Result<SourceInfo> probe(const OpenContext& context) override;
  Result<Capture> next(SourceContext& context) override;
  Status close() override;
  void interrupt() override;

 private:
  // Opens the uri, decodes its first picture to know its type, and has the decoder start again before it.
  // Leaves the decoder with the pool behind `context` (null: none yet).
  Status connect(SourceContext* context);
  Status find_first_picture();
  void start_stream();
  Status open_decoder();
  Status feed(SourceContext& context);
  Status drain_before_the_end();
  Demuxer::Read read_packet();
  // The stream is over: begins again (loop), connects again (live), or says that it ended.
  Status go_on_after(Demuxer::Read read, SourceContext& context);
  Status start_again(SourceContext& context);
  Status reconnect(SourceContext& context, const Status& why);
  // False when interrupted.
  bool wait(TimeNs span);
  Result<Capture> deliver(SourceContext& context);
  Result<Packet> wrap(SourceContext& context, const ImageType& type);
  void say_if_not_as_planned() const;
  void say_matrix(const ImageType& type);
  int rotation_of(const AVFrame& frame);
  void note_damage(SourceContext& context);
  void count_broken(SourceContext& context);
  void count_lost(SourceContext& context, std::size_t pictures);
  void warn_once(bool& said, const std::string& text) const;

  VideoUri uri_;
  TimeNs timeout_ = 0;
  bool loop_ = false;
  bool reconnect_ = false;

  FrameMemory memory_;  // before the decoder: outlives it
  Demuxer demuxer_;
  Decoder decoder_;
  Converter converter_;
  LibavPtr<AVPacket> packet_;
  LibavPtr<AVFrame> frame_;
  std::deque<LibavPtr<AVPacket>> again_;  // read by find_first_picture, not decoded for good yet
  PictureLedger ledger_;
  MediaTime media_time_;
  TimeNs stamp_ = 0;       // of the last packet
  bool draining_ = false;  // the decoder gives what it still has
  Demuxer::Read ended_by_ = Demuxer::Read::kEnd;
  Status failure_;              // of the decoder: ends the source once it is empty
  std::uint64_t pictures_ = 0;  // since the last (re)start of the stream
  bool said_conversion_ = false;
  bool said_matrix_ = false;
  bool said_orientation_ = false;
  bool said_broken_ = false;

  std::mutex mutex_;
  std::condition_variable woken_;
};

Result<SourceInfo> StreamSource::probe(const OpenContext& context) {
  const Options& options = *context.options;
  SLUICE_ASSIGN(uri_, parse_video_uri(options.text("uri")));
  timeout_ = from_ms(static_cast<double>(options.integer("timeout_ms")));
  loop_ = options.flag("loop");
  reconnect_ = options.flag("reconnect");
  memory_.limit(static_cast<int>(options.integer("max_width")),
                static_cast<int>(options.integer("max_height")));
  SLUICE_RETURN_IF_ERROR(connect(nullptr));
  say_if_not_as_planned();
  SourceInfo info = memory_.needed();
  info.live = demuxer_.live();
  info.only_computes = demuxer_.reads_regular_file();
  info.fps = demuxer_.fps();
  info.frames = loop_ ? -1 : demuxer_.frames();
  memory_.announced_as(info);
  return info;
}

Status StreamSource::connect(SourceContext* context) {
  again_.clear();
  draining_ = false;
  failure_ = {};
  pictures_ = 0;
  SLUICE_RETURN_IF_ERROR(demuxer_.open(uri_, timeout_));
  const std::optional<Orientation> orientation = orientation_of(demuxer_.stream());
  memory_.set_rotation(orientation ? orientation->rotation : 0);
  SLUICE_RETURN_IF_ERROR(open_decoder());
  memory_.attach(nullptr);
  const Status status = find_first_picture();
  memory_.attach(context);
  SLUICE_RETURN_IF_ERROR(status);
  start_stream();
  return open_decoder();
}

void StreamSource::start_stream() {
  media_time_.start_stream(demuxer_.stream().time_base, demuxer_.fps());
  ledger_.start(demuxer_.stream().codecpar->codec_id, demuxer_.live());
}

Status StreamSource::open_decoder() {
  decoder_.close();
  Status status = decoder_.open(*demuxer_.stream().codecpar, demuxer_.stream().time_base, &memory_, false);
  return status.with_context(demuxer_.name() + ": ");
}

Status StreamSource::find_first_picture() {
  Status trouble =
      failed(fmt::format("{} holds no picture that can be decoded ({}); it may be cut off after its header",
                         demuxer_.name(), avcodec_get_name(demuxer_.stream().codecpar->codec_id)));
  Decoder::Step step = Decoder::Step::kNeedsPacket;
  bool at_end = false;
  while (step != Decoder::Step::kPicture) {
    if (step == Decoder::Step::kFailed) return decoder_.failure().with_context(demuxer_.name() + ": ");
    if (step == Decoder::Step::kEnd || again_.size() > kProbePackets) return trouble;
    if (step == Decoder::Step::kNeedsPacket && !at_end) {
      const Demuxer::Read read = demuxer_.read(*packet_);
      if (read == Demuxer::Read::kBroken) continue;
      if (read == Demuxer::Read::kFailed) trouble = demuxer_.failure();
      at_end = read != Demuxer::Read::kPacket;
      if (!at_end) again_.emplace_back(av_packet_clone(packet_.get()));
      step = decoder_.send(at_end ? nullptr : packet_.get(), 0);
    }
    if (step != Decoder::Step::kFailed) step = decoder_.receive(*frame_);
  }
  memory_.set_rotation(rotation_of(*frame_));
  av_frame_unref(frame_.get());
  return {};
}

Result<Capture> StreamSource::next(SourceContext& context) {
  memory_.attach(&context);
  for (;;) {
    if (demuxer_.interrupted() || context.stopping()) return cancelled(demuxer_.name() + ": stopped");
    switch (decoder_.receive(*frame_)) {
      case Decoder::Step::kPicture:
        ledger_.came(*frame_);
        return deliver(context);
      case Decoder::Step::kBroken:
        note_damage(context);
        break;
      case Decoder::Step::kFailed:
        SLUICE_RETURN_IF_ERROR(drain_before_the_end());
        break;
      case Decoder::Step::kNeedsPacket:
        count_lost(context, ledger_.take_lost(decoder_.codec().has_b_frames));
        SLUICE_RETURN_IF_ERROR(feed(context));
        break;
      case Decoder::Step::kEnd:
        SLUICE_RETURN_IF_ERROR(failure_);
        count_lost(context, ledger_.take_lost(0));
        SLUICE_RETURN_IF_ERROR(go_on_after(ended_by_, context));
        break;
    }
  }
}

Demuxer::Read StreamSource::read_packet() {
  if (again_.empty()) return demuxer_.read(*packet_);
  av_packet_unref(packet_.get());
  av_packet_move_ref(packet_.get(), again_.front().get());
  again_.pop_front();
  return Demuxer::Read::kPacket;
}

Status StreamSource::feed(SourceContext& context) {
  SLUICE_RETURN_IF_ERROR(memory_.prepare());
  const Demuxer::Read read = read_packet();
  if (read == Demuxer::Read::kBroken) {
    count_broken(context);
    return {};
  }
  // A live stream that broke off has nothing to wait for; its decoder is thrown away.
  if (read == Demuxer::Read::kFailed && demuxer_.live()) return go_on_after(read, context);
  draining_ = read != Demuxer::Read::kPacket;
  if (draining_) ended_by_ = read;
  stamp_ = context.clock().now();
  if (!draining_) ledger_.sent(*packet_);
  const Decoder::Step step = decoder_.send(draining_ ? nullptr : packet_.get(), stamp_);
  av_packet_unref(packet_.get());
  if (step == Decoder::Step::kFailed) return drain_before_the_end();
  if (step == Decoder::Step::kBroken) note_damage(context);
  return {};
}

// A picture that cannot be taken, such as a larger one than is allowed, ends the source; those before it that
// the decoder still holds come first.
Status StreamSource::drain_before_the_end() {
  const Status failure = decoder_.failure().with_context(demuxer_.name() + ": ");
  const bool again = !failure_.ok();
  failure_ = failure;
  draining_ = true;
  return again || decoder_.send(nullptr, 0) == Decoder::Step::kFailed ? failure : Status{};
}

Status StreamSource::go_on_after(Demuxer::Read read, SourceContext& context) {
  if (demuxer_.interrupted()) return cancelled(demuxer_.name() + ": stopped");
  if (demuxer_.live()) {
    const Status why =
        read == Demuxer::Read::kFailed ? demuxer_.failure() : failed(demuxer_.name() + " closed the stream");
    if (reconnect_) return reconnect(context, why);
    return read == Demuxer::Read::kFailed ? why : end_of_stream();
  }
  if (read == Demuxer::Read::kFailed) return demuxer_.failure();
  if (!loop_) return end_of_stream();
  if (pictures_ == 0)
    return failed(demuxer_.name() + ": looping is pointless: no picture could be decoded from its start");
  return start_again(context);
}

Status StreamSource::start_again(SourceContext& context) {
  start_stream();
  if (!demuxer_.rewind().ok()) return connect(&context);
  decoder_.flush();
  draining_ = false;
  pictures_ = 0;
  return {};
}

Status StreamSource::reconnect(SourceContext& context, const Status& why) {
  log_message(LogLevel::kWarning, fmt::format("{}; connecting again", why.message()));
  TimeNs back_off = kFirstBackOff;
  std::string said;
  while (wait(back_off) && !context.stopping()) {
    const Status status = connect(&context);
    if (status.ok()) {
      context.reconnected();
      media_time_.resume_at(context.clock().now());
      return {};
    }
    if (!decoder_.failure().ok()) return status;  // too large, or no memory: not the network's fault
    log_message(status.message() == said ? LogLevel::kDebug : LogLevel::kWarning, status.message());
    said = status.message();
    back_off = std::min(back_off * 2, kLongestBackOff);
  }
  return cancelled(demuxer_.name() + ": stopped while connecting again");
}

bool StreamSource::wait(TimeNs span) {
  std::unique_lock lock(mutex_);
  return !woken_.wait_for(lock, std::chrono::nanoseconds(span), [this] { return demuxer_.interrupted(); });
}

void StreamSource::interrupt() {
  {
    std::lock_guard lock(mutex_);
    demuxer_.interrupt();
  }
  woken_.notify_all();
}

int StreamSource::rotation_of(const AVFrame& frame) {
  std::optional<Orientation> orientation = orientation_of(frame);
  if (!orientation) orientation = orientation_of(demuxer_.stream());
  if (!orientation) return 0;
  if (orientation->mirrored || orientation->oblique) {
    warn_once(said_orientation_,
              fmt::format("is mirrored or turned by an odd angle; it is only turned by {} degrees",
                          orientation->rotation));
  }
  return orientation->rotation;
}

Result<Capture> StreamSource::deliver(SourceContext& context) {
  const ImageType type = type_of(*frame_, rotation_of(*frame_));
  if (is_yuv(type.format) && !is_known_matrix(frame_->colorspace)) say_matrix(type);
  Capture capture;
  capture.captured = Decoder::stamp_of(*frame_, stamp_);
  capture.media_time = demuxer_.has_stamps() ? media_time_.of(frame_->best_effort_timestamp, capture.captured)
                                             : media_time_.without_stamp(capture.captured);
  ++pictures_;
  Result<Packet> packet = wrap(context, type);
  av_frame_unref(frame_.get());
  if (!packet.ok()) return packet.status();
  capture.packet = *std::move(packet);
  return capture;
}

// The plan has it from the address alone.
void StreamSource::say_if_not_as_planned() const {
  if (uri_.live == demuxer_.live()) return;
  const std::string_view what =
      uri_.live
          ? "is a file, not a live stream, but its address does not say so (.mp4, .m3u8, ...): frames that "
            "come too fast are dropped as from a camera"
          : "is a live stream, but its address looks like a file's: it is read as fast as the graph takes "
            "frames, which may be later than it captures";
  log_message(LogLevel::kWarning, fmt::format("{} {}", demuxer_.name(), what));
}

void StreamSource::say_matrix(const ImageType& type) {
  const char* name = av_color_space_name(frame_->colorspace);
  const bool wide = type.color.resolved(type.height).matrix == ColorMatrix::kBt709;
  warn_once(said_matrix_,
            fmt::format("has the colour matrix {}, which Sluice does not have; {} is used, so "
                        "colours are somewhat off",
                        name != nullptr ? name : "of an unknown number", wide ? "BT.709" : "BT.601"));
}

Result<Packet> StreamSource::wrap(SourceContext& context, const ImageType& type) {
  const auto format = static_cast<AVPixelFormat>(frame_->format);
  if (!FrameMemory::can_hold(decoder_.codec(), format)) {
    SLUICE_ASSIGN(Packet packet, context.make_image(type));
    if (direct_format(format) == PixelFormat::kNone) {
      warn_once(said_conversion_, fmt::format("has {} pixels, which are converted to {}",
                                              av_get_pix_fmt_name(format), name_of(type.format)));
    }
    SLUICE_RETURN_IF_ERROR(converter_.convert(*frame_, *packet.edit<Image>()));
    return packet;
  }
  BufferRef buffer = memory_.buffer_of(*frame_);
  if (!buffer) return pool_empty();
  SLUICE_ASSIGN(Packet packet, context.make());
  Image& image = *packet.edit<Image>();
  image.type = type;
  for (std::size_t p = 0; p < image.planes.size(); ++p) {
    image.planes[p] = frame_->data[p];
    image.strides[p] = frame_->linesize[p];
  }
  image.buffer = std::move(buffer);
  return packet;
}

// Of a picture that came out damaged (`frame_`), or of a packet that was refused.
void StreamSource::note_damage(SourceContext& context) {
  if (frame_->buf[0] != nullptr) {
    ledger_.came(*frame_);
  } else {
    ledger_.refused();
  }
  count_broken(context);
}

void StreamSource::count_broken(SourceContext& context) {
  av_frame_unref(frame_.get());
  count_lost(context, 1);
}

void StreamSource::count_lost(SourceContext& context, std::size_t pictures) {
  for (std::size_t i = 0; i < pictures; ++i) context.corrupt();
  if (pictures > 0) warn_once(said_broken_, "has damaged pictures; they are counted as corrupt and left out");
}

void StreamSource::warn_once(bool& said, const std::string& text) const {
  if (std::exchange(said, true)) return;
  log_message(LogLevel::kWarning, fmt::format("{} {}", demuxer_.name(), text));
}

Status StreamSource::close() {
  decoder_.close();
  demuxer_.close();
  memory_.release();
  again_.clear();
  return {};
}

}  // namespace
}  // namespace sluice

extern "C" sluice::Node* sluice_stream_source() { return new sluice::StreamSource(); }
