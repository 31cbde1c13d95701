#include "nodes/app_ends.h"

#include <cstring>

#include <fmt/format.h>

#include "nodes/declare.h"
#include "nodes/post_nodes.h"

namespace sluice {
namespace {

constexpr int kMostPixels = 16384;  // per side, as image_bytes allows
constexpr double kMostMs = 1e10;    // 115 days: far from where a time in nanoseconds overflows

Status check_time(const char* what, double ms) {
  if (ms >= 0 && ms <= kMostMs) return {};  // false for NaN
  return invalid(fmt::format("the {} of a pushed frame is {}, allowed: 0 to {:.0f}", what, ms, kMostMs));
}

void copy_pixels(const Frame& from, Image& to) {
  for (int p = 0; p < plane_count(from.format); ++p) {
    const auto plane = static_cast<std::size_t>(p);
    const PlaneSize size = plane_size(to.type, p);
    const auto bytes = static_cast<std::size_t>(size.width) * static_cast<std::size_t>(size.bytes_per_sample);
    for (int y = 0; y < size.height; ++y) {
      std::memcpy(to.planes[plane] + y * to.strides[plane], from.planes[plane] + y * from.strides[plane],
                  bytes);
    }
  }
}

// The stream ends either way: a run that is stopping has nothing left to be told.
void tell_end(const AppSource::Offer& offer) { [[maybe_unused]] const Status told = offer(end_of_stream()); }

ImageType type_of(const Options& options) {
  ImageType type;
  type.format = parse_pixel_format(options.text("format")).value_or(PixelFormat::kNv12);
  type.width = static_cast<int>(options.integer("width"));
  type.height = static_cast<int>(options.integer("height"));
  return type;
}

}  // namespace

void AppSource::describe(NodeDeclaration& d) {
  d.about("Frames that the application pushes (C++ API).");
  d.output("frame", PortKind::kFrame).help("What was pushed.");
  d.option("width", OptionKind::kInteger).must().in_unit("px").range(1, kMostPixels).help("Of the frames.");
  d.option("height", OptionKind::kInteger).must().in_unit("px").range(1, kMostPixels).help("Of the frames.");
  OptionDeclaration& format =
      d.option("format", OptionKind::kChoice).any_of({"nv12", "i420", "bgr", "rgb", "gray"});
  format.help("Of the pixels.").fallback = OptionValue{std::string("nv12")};
  d.option("live", true).help("A camera: latency starts at the capture, and the run is realtime by default.");
  d.thread = ThreadKind::kOwn;
  d.source = true;
  d.infer_types = [](const TypeContext& context) {
    PortType out;
    out.kind = PortKind::kFrame;
    out.payload = payload_type<Image>();
    out.name = "frame";
    out.image = type_of(context.options());
    return Result<std::vector<PortType>>({out});
  };
}

Result<SourceInfo> AppSource::probe(const OpenContext& context) {
  const std::lock_guard lock(mutex_);
  type_ = type_of(*context.options);
  SLUICE_RETURN_IF_ERROR(image_bytes(type_).status());
  SourceInfo info;
  info.type = type_;
  info.live = context.options->flag("live");
  return info;
}

// From here on a push waits for the run's first moment, which comes at once or never.
Status AppSource::begin_run() {
  const std::lock_guard lock(mutex_);
  if (state_ == State::kIdle) state_ = State::kBegun;
  return {};
}

Status AppSource::check(const Frame& frame) const {
  if (frame.format != type_.format || frame.width != type_.width || frame.height != type_.height) {
    return invalid(fmt::format("a frame of {}x{} {} was pushed, but app_source was declared as {}x{} {}",
                               frame.width, frame.height, name_of(frame.format), type_.width, type_.height,
                               name_of(type_.format)));
  }
  SLUICE_RETURN_IF_ERROR(check_time("age_ms", frame.age_ms));
  SLUICE_RETURN_IF_ERROR(check_time("media_time_ms", frame.media_time_ms.value_or(0)));
  for (int p = 0; p < plane_count(type_.format); ++p) {
    const auto plane = static_cast<std::size_t>(p);
    const PlaneSize size = plane_size(type_, p);
    const std::ptrdiff_t least = std::ptrdiff_t{size.width} * size.bytes_per_sample;
    if (!frame.planes[plane] || frame.strides[plane] < least) {
      return invalid(
          fmt::format("plane {} of a pushed frame is {} with a stride of {} bytes, its rows have {}", p,
                      frame.planes[plane] ? "given" : "null", frame.strides[plane], least));
    }
  }
  return {};
}

Result<Capture> AppSource::make_capture(const Frame& frame) {
  SLUICE_ASSIGN(Packet packet, context_->make_image(type_));
  copy_pixels(frame, *packet.edit<Image>());
  Capture capture;
  capture.packet = std::move(packet);
  capture.captured = context_->clock().now() - from_ms(frame.age_ms);
  if (!first_captured_) first_captured_ = capture.captured;
  capture.media_time =
      frame.media_time_ms ? from_ms(*frame.media_time_ms) : capture.captured - *first_captured_;
  return capture;
}

// Its turn ends whatever happens in it.
class AppSource::Turn {
 public:
  explicit Turn(AppSource& source) : source_(source) {}
  ~Turn() { source_.end_turn(); }
  Turn(const Turn&) = delete;

 private:
  AppSource& source_;
};

Status AppSource::push(const Frame& frame) {
  SLUICE_RETURN_IF_ERROR(take_turn(frame));
  const Turn turn(*this);
  return offer_(make_capture(frame));
}

// Ok: the run takes pushes, and no other one is under way.
Status AppSource::take_turn(const Frame& frame) {
  std::unique_lock lock(mutex_);
  if (state_ == State::kIdle) return invalid("a frame was pushed before start()");
  changed_.wait(lock, [this] {
    return state_ == State::kOver || (state_ == State::kConnected && (ended_ || !pushing_));
  });
  if (state_ == State::kOver) return cancelled("the run is over");
  if (ended_) return invalid("a frame was pushed after close()");
  SLUICE_RETURN_IF_ERROR(check(frame));
  pushing_ = true;
  return {};
}

void AppSource::end_turn() {
  const std::lock_guard lock(mutex_);
  pushing_ = false;
  tell_end_when_due();
  changed_.notify_all();
}

// Under the lock. After the push under way, whose frame comes before the end.
void AppSource::tell_end_when_due() {
  if (!ended_ || end_told_ || pushing_ || state_ != State::kConnected) return;
  end_told_ = true;
  tell_end(offer_);
}

void AppSource::close_stream() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  tell_end_when_due();
  changed_.notify_all();
}

void AppSource::connect(SourceContext& context, Offer offer) {
  const std::lock_guard lock(mutex_);
  context_ = &context;
  offer_ = std::move(offer);
  state_ = State::kConnected;
  tell_end_when_due();  // closed before the run began
  changed_.notify_all();
}

void AppSource::disconnect() {
  std::unique_lock lock(mutex_);
  state_ = State::kOver;
  changed_.notify_all();
  changed_.wait(lock, [this] { return !pushing_; });
  context_ = nullptr;
  offer_ = nullptr;
}

Result<Capture> AppSource::next(SourceContext&) {
  return invalid("app_source is pushed to, nobody steps it");
}

Status AppSource::close() {
  disconnect();
  return {};
}

void AppSink::describe(NodeDeclaration& d) {
  d.about("Gives every packet to the application (C++ API).");
  d.input("in", PortKind::kAny).help("Anything.");
  d.thread = ThreadKind::kOwn;
  d.sink = true;
  d.takes_lists = true;
}

Status AppSink::on_packet(Callback callback) {
  const std::lock_guard lock(mutex_);
  if (open_)
    return invalid("on_packet() was called after start(): app_sink keeps the callback it has; set it before");
  callback_ = std::move(callback);
  return {};
}

Status AppSink::open(const OpenContext&) {
  const std::lock_guard lock(mutex_);
  if (!callback_) return failed("app_sink has no callback: call on_packet() before start()");
  open_ = true;
  return {};
}

Status AppSink::process(Context& context) {
  for (const Packet& packet : context.packets(0)) callback_(packet);
  return {};
}

NodeDeclaration app_source_declaration() { return declare<AppSource>("app_source"); }
NodeDeclaration app_sink_declaration() { return declare<AppSink>("app_sink"); }

}  // namespace sluice
