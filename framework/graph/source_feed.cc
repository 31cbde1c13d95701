#include "framework/graph/source_feed.h"

#include <algorithm>
#include <charconv>

#include "framework/core/allocation_scope.h"
#include "framework/core/guarded.h"

namespace sluice {
namespace {

constexpr std::size_t kRowAlign = 64;

// When the picture is due after the first one, whatever the rate: at most 31 years, far from an overflow.
TimeNs due_after(std::uint64_t number, double fps) {
  constexpr double kMostSeconds = 1e9;
  return from_s(std::min(static_cast<double>(number) / fps, kMostSeconds));
}

// A run that is over has no error of its source; whoever pushed is told that the frame is not in it.
Status end_pushed(Executor& executor, int source, const Status& why) {
  const bool regular = why.code() == Code::kEndOfStream;
  const bool over = why.code() == Code::kCancelled;
  executor.end_source(source, regular || over ? Status{} : why);
  return regular ? Status{} : over ? cancelled("the run is over") : why;
}

}  // namespace

Pace Pace::parse(const std::string& text) {
  if (text == "realtime") return {Kind::kRealtime, 0};
  if (text == "max" || text.empty()) return {Kind::kMax, 0};
  Pace pace{Kind::kRate, 0};  // std::stod would read the number as the application's locale writes it
  std::from_chars(text.data(), text.data() + text.size(), pace.fps);
  return pace;
}

NodeFeed::NodeFeed(Setup setup)
    : setup_(std::move(setup)),
      node_index_(setup_.plan->sources[static_cast<std::size_t>(setup_.source)].node),
      pace_(setup_.info.live
                ? Pace{}
                : Pace::parse(setup_.plan->sources[static_cast<std::size_t>(setup_.source)].pace)),
      options_(setup_.plan->nodes[static_cast<std::size_t>(node_index_)].options) {}

void NodeFeed::attach(Executor& executor) {
  executor_ = &executor;
  end_at_limit();  // of none
}

// Nobody steps an external source, so it would not find out by itself.
void NodeFeed::end_at_limit() {
  if (setup_.external && at_limit()) executor_->end_source(setup_.source, {});
}

const Options& NodeFeed::options() const { return *options_; }

// A paced file is read when its picture is due, like a camera: decoding early would hide the decoder from the
// latency.
TimeNs NodeFeed::next_due() {
  if (pace_.kind == Pace::Kind::kMax) return 0;
  if (start_ < 0) start_ = setup_.clock->now();
  if (pace_.kind == Pace::Kind::kRate) return start_ + due_after(number_, pace_.fps);
  if (number_ == 0) return start_;
  const double fps = setup_.info.fps;
  return start_ + last_media_ + (fps > 0 ? from_s(1.0 / fps) : 0);
}

Result<FrameInfo> NodeFeed::next() {
  if (at_limit()) return end_of_stream();
  options_ = setup_.bodies->options(node_index_);
  const TimeNs due = next_due();
  Result<Capture> capture = guarded([this] { return setup_.node->next(*this); });
  if (!capture.ok()) {
    if (capture.status().code() == Code::kPoolEmpty) ++number_;
    return capture.status();
  }
  if (!capture->packet) return failed("next() returned a capture without a packet");
  FrameInfo frame = keep(std::move(*capture));
  if (pace_.kind != Pace::Kind::kMax) {
    // The picture may be due later than was thought: its rate varies, or corrupt captures came before it.
    const TimeNs own_due = pace_.kind == Pace::Kind::kRealtime ? start_ + frame.media_time
                                                               : start_ + due_after(frame.number, pace_.fps);
    enter_due_ = own_due > due + from_ms(1) ? own_due : 0;
    frame.captured = std::max(due, own_due);
    if (enter_due_ > frame.produced) frame.produced = enter_due_;
  }
  kept_frame_ = frame;
  return frame;
}

FrameInfo NodeFeed::keep(Capture capture) {
  FrameInfo frame;
  frame.source = static_cast<std::uint16_t>(setup_.source);
  frame.number = number_++;
  frame.captured = capture.captured;
  frame.produced = setup_.clock->now();
  frame.media_time = last_media_ = capture.media_time;
  kept_ = std::move(capture);
  if (setup_.on_capture) setup_.on_capture();
  return frame;
}

void NodeFeed::store(Slot slot) {
  kept_.packet.set_frame(kept_frame_);
  setup_.bodies->store_source(setup_.source, slot, std::move(kept_.packet));
}

void NodeFeed::interrupt() {
  stopping_.store(true);
  setup_.node->interrupt();
  wake();
}

void NodeFeed::wake() {
  {
    std::lock_guard lock(mutex_);
  }
  available_.notify_all();
}

Status NodeFeed::push(Result<Capture> capture) {
  const bool lost = capture.status().code() == Code::kPoolEmpty;
  if (!capture.ok() && !lost) return end_pushed(*executor_, setup_.source, capture.status());
  if (at_limit())
    return cancelled("the source has made the " + std::to_string(setup_.limit) +
                     " captures of RunOptions::frames, no more are taken");
  if (!lost) kept_frame_ = keep(std::move(*capture));
  const Status status = lost ? lose_pushed(capture.status()) : offer_pushed();
  end_at_limit();
  return status;
}

Status NodeFeed::lose_pushed(const Status& why) {
  ++number_;
  executor_->lose(setup_.source, DropReason::kPoolEmpty);
  return why;
}

Status NodeFeed::offer_pushed() {
  switch (executor_->push(setup_.source, kept_frame_)) {
    case Executor::Offered::kAdmitted:
      return {};
    case Executor::Offered::kOverload:
      discard();
      return {Code::kPoolEmpty, "overload: no credit, the frame was dropped"};
    case Executor::Offered::kStopped:
      break;
  }
  discard();
  return cancelled("the run is over");
}

template <typename T, typename Acquire>
Result<T> NodeFeed::acquire_or_wait(Acquire&& acquire) {
  while (true) {
    if (T got = acquire()) return got;
    if (!setup_.plan->lossless || setup_.clock->manual()) return pool_empty();
    const bool stepped = executor_ && !setup_.external;
    waits_for_buffer_.store(true, std::memory_order_relaxed);
    if (stepped) executor_->source_rests(setup_.source, true);
    T got;
    {
      std::unique_lock lock(mutex_);
      available_.wait(lock, [&] { return stopping() || (got = acquire()); });
    }
    if (stepped) executor_->source_rests(setup_.source, false);
    waits_for_buffer_.store(false, std::memory_order_relaxed);
    if (got) return got;
    return cancelled("stopped while waiting for a buffer");
  }
}

Result<Packet> NodeFeed::make() {
  FrameInfo frame;
  frame.source = static_cast<std::uint16_t>(setup_.source);
  return acquire_or_wait<Packet>([&] { return pools().packets->acquire(frame); });
}

Result<BufferRef> NodeFeed::acquire_buffer(std::size_t bytes) {
  if (!pools().buffers || bytes > pools().buffers->bytes_each()) {
    return failed("a picture of " + std::to_string(bytes) + " bytes is larger than the pool was made for");
  }
  return acquire_or_wait<BufferRef>([&] { return pools().buffers->acquire(); });
}

Result<Packet> NodeFeed::make_image(const ImageType& type) {
  SLUICE_ASSIGN(const std::size_t bytes, image_bytes(type, kRowAlign));
  if (!pools().buffers || bytes > pools().buffers->bytes_each()) SLUICE_RETURN_IF_ERROR(format_changed(type));
  SLUICE_ASSIGN(BufferRef buffer, acquire_buffer(bytes));
  SLUICE_ASSIGN(Packet packet, make());
  lay_out(type, std::move(buffer), kRowAlign, *packet.edit<Image>());
  return packet;
}

void NodeFeed::corrupt() {
  ++number_;
  executor_->count_corrupt(setup_.source);
}

Status NodeFeed::format_changed(const ImageType& type) {
  SourceInfo info = setup_.info;
  info.type = type;
  return source_changed(info);
}

Status NodeFeed::source_changed(const SourceInfo& info) {
  if (!executor_->wait_source_drained(setup_.source))
    return cancelled("stopped while the picture size changed");
  SLUICE_RETURN_IF_ERROR(setup_.remake_pools(setup_.source, info));
  const bool first = number_ == 0;
  setup_.info.type = info.type;
  setup_.info.buffer_bytes = info.buffer_bytes;
  setup_.info.decoder_buffers = info.decoder_buffers;
  if (!first) format_changes_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

}  // namespace sluice
