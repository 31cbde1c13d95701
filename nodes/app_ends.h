// The two ends of a pipeline that an application holds itself (contract section 7).
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>

#include "framework/core/image.h"
#include "framework/core/packet.h"
#include "framework/node/node.h"

namespace sluice {

// A picture that an application gives to app_source. The pixels are copied during `push` and need to live
// only that long; planes and strides (bytes per row) as many as the format has, of the size and format that
// the node declares.
struct Frame {
  PixelFormat format = PixelFormat::kNone;
  int width = 0;
  int height = 0;
  std::array<const std::uint8_t*, 3> planes{};
  std::array<std::ptrdiff_t, 3> strides{};
  double age_ms = 0;                    // how long ago it was captured
  std::optional<double> media_time_ms;  // since the first frame; none: by the times of capture
};

// app_source: frames that the application pushes.
//
// Inputs   none
// Outputs  frame
// Options  width, height  of the frames; required
//          format         nv12, i420, bgr, rgb, gray; default nv12
//          live           default true: latency starts at the capture, and the run is realtime by default
// Drops    nothing of its own
// Thread   none: frames enter the flow in the thread that pushes them (SourceFeed::external)
class AppSource final : public SourceNode {
 public:
  // Takes into the flow what `next` of another source would have returned: a capture, kPoolEmpty (a frame
  // that found no free buffer: counted, its status is handed back), or once kEndOfStream. In realtime it
  // never blocks (kPoolEmpty, "overload": no credit); in lossless it waits for a credit (kCancelled when the
  // run ends meanwhile). Called by one thread at a time.
  using Offer = std::function<Status(Result<Capture>)>;

  static void describe(NodeDeclaration& declaration);

  // --- for the application, from any thread
  // --------------------------------------------------------------------------- Copies the frame and hands it
  // over. Ok: it is in the flow. kPoolEmpty: it was dropped as overload and is counted (realtime, which never
  // blocks). kInvalid: not running yet, already closed, or a frame of another size or format; kCancelled: the
  // run is over, or has all the captures of RunOptions::frames. In lossless it blocks until there is room.
  // Waits for the run's first moment when start() is about to return.
  Status push(const Frame& frame);
  // Ends the stream: what was pushed is still delivered, a push that waits for room included. Never waits for
  // one, so it may be called from an app_sink's callback. Later calls do nothing.
  void close_stream();

  // --- for the runtime
  // ------------------------------------------------------------------------------------------------ From
  // here on `push` makes its pictures with `context` and gives them to `offer`. Both must live until
  // `disconnect`.
  void connect(SourceContext& context, Offer offer);
  // Returns when no push is under way any more; those that wait for room must have been cancelled before.
  // Later pushes get kCancelled, those that wait for the run's first moment too.
  void disconnect();

  Result<SourceInfo> probe(const OpenContext& context) override;
  Status begin_run() override;
  // Nobody steps this source: kInvalid.
  Result<Capture> next(SourceContext& context) override;
  Status close() override;

 private:
  enum class State { kIdle, kBegun, kConnected, kOver };
  class Turn;

  Status check(const Frame& frame) const;
  Status take_turn(const Frame& frame);
  void end_turn();
  void tell_end_when_due();
  Result<Capture> make_capture(const Frame& frame);

  std::mutex mutex_;  // guards what follows; never held while a push waits for room
  std::condition_variable changed_;
  State state_ = State::kIdle;
  bool pushing_ = false;  // one push at a time, and `disconnect` waits for it
  bool ended_ = false;
  bool end_told_ = false;
  ImageType type_;
  // Of the push whose turn it is; written while there is none.
  SourceContext* context_ = nullptr;
  Offer offer_;
  std::optional<TimeNs> first_captured_;
};

// app_sink: gives every packet to the application.
//
// Inputs   in  anything
// Outputs  none
// Drops    nothing
// Thread   its own: the callback may block; the flow's rules decide what happens to frames that come
//          meanwhile
class AppSink final : public Node {
 public:
  // A packet knows its frame (Packet::frame) and is read with Packet::get; it may be kept, but holds its
  // buffer.
  using Callback = std::function<void(const Packet&)>;

  static void describe(NodeDeclaration& declaration);

  // Before `start()`; without one the pipeline does not open. Any thread. kInvalid once the sink is open,
  // which keeps what it has: frames may be in the callback. An exception from it counts as a failure of the
  // node.
  Status on_packet(Callback callback);

  Status open(const OpenContext& context) override;
  Status process(Context& context) override;

 private:
  std::mutex mutex_;  // while the callback may still be set
  bool open_ = false;
  Callback callback_;  // once open nobody writes it, and frames read it without the lock
};

}  // namespace sluice
