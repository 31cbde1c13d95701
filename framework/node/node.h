// Node: the class an author writes. `describe` declares it, `process` does one frame (or one element of its
// list). Timing, counting, alignment of inputs and errors are handled outside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "framework/core/clock.h"
#include "framework/core/frame.h"
#include "framework/core/packet.h"
#include "framework/core/status.h"
#include "framework/node/declaration.h"

namespace sluice {

// What `process` sees of one frame. Lives on the caller's stack; valid during the call only. Not thread-safe.
class Context {
 public:
  virtual ~Context() = default;

  virtual const FrameInfo& frame() const = 0;
  // The snapshot of this frame; the same object until something was set (compare addresses to notice).
  virtual const Options& options() const = 0;
  virtual const Clock& clock() const = 0;
  // Which variant's route this frame takes, as an index into OpenContext::routes; 0 where there is only one.
  virtual std::size_t route() const = 0;

  // The packets of an input port. For sets and dynamic ports `edge` counts their edges. Exact inputs are
  // never absent here. A `latest` port is an empty span before its first packet and when it is too old.
  virtual std::span<const Packet> packets(std::size_t port, std::size_t edge = 0) const = 0;
  // In per-element calls: this element's packet (or the only one of a list of one); else the first; empty:
  // none.
  virtual const Packet& packet(std::size_t port, std::size_t edge = 0) const = 0;
  // The packet's payload, null when there is none.
  template <typename T>
  const T* input(std::size_t port = 0, std::size_t edge = 0) const {
    return packet(port, edge).template get<T>();
  }

  // A new packet for an output port, from the pool the plan sized; for tensors and pictures with a buffer of
  // the port's type laid out (kFailed for a picture whose type only the run knows: make_image). kPoolEmpty
  // (return it) when the pool has none: a counted drop or back-pressure; `too_many` when this call has made
  // all the packets that the node declares, for nobody else could give it one.
  virtual Result<Packet> make(std::size_t port = 0) = 0;
  // A picture of the given type from the port's pool (sizes up to the plan's).
  virtual Result<Packet> make_image(std::size_t port, const ImageType& type) = 0;
  // The input's packet itself when nobody else reads it, else a pooled copy, as the plan decided (edits()
  // ports).
  virtual Result<Packet> take_for_edit(std::size_t port) = 0;

  virtual void emit(std::size_t port, Packet packet) = 0;
  void emit(Packet packet) { emit(0, std::move(packet)); }
  // Turns the frame away on purpose; on one output port, or on all.
  virtual void filter() = 0;
  virtual void filter_port(std::size_t port) = 0;
  // Gives the frame up under `reason` (never kNone, kFiltered).
  virtual void drop(DropReason reason) = 0;
};

// One route of a node: the types of its ports in it. Indexed by the frame's route.
struct NodeRoute {
  std::string variant;                        // empty: the model's own path
  std::vector<std::vector<PortType>> inputs;  // [port][edge]
  std::vector<PortType> outputs;              // dynamic ports expanded
};

// What `open` gets (stage 3, the probe). Any node may be opened once; `close` follows in any case.
struct OpenContext {
  std::string_view node_id;
  const Options* options = nullptr;
  Clock* clock = nullptr;
  std::span<const NodeRoute> routes;
  std::vector<std::vector<std::string>> input_names;  // [port][edge]: names given by the file (maps) or ""
  std::vector<std::string> source_names;              // ids by FrameInfo::source
  std::vector<double> source_rates;  // SourceInfo::fps by FrameInfo::source; 0 or missing: unknown
  void* services =
      nullptr;  // set by the runtime: RuntimeServices (inference room's session table); null in tests
};

// Thread: `open`, `begin_run` and `close` in the thread that starts and ends the run; `process` per
// declaration, never two at once for serial nodes. Exceptions thrown by any of them are caught and count as
// failures.
class Node {
 public:
  virtual ~Node() = default;
  virtual Status open(const OpenContext&) { return {}; }
  // All nodes are open, no frame has come: from here on a sink may create and truncate its files. Not called
  // when the probe failed. kTimeout: called again until it does not time out, or the run is stopped.
  virtual Status begin_run() { return {}; }
  virtual Status process(Context& context) = 0;
  // After the last frame; errors here (a full disk noticed late) fail the run.
  virtual Status close() { return {}; }
};

// One capture of a source.
struct Capture {
  Packet packet;  // an Image, from SourceContext::make_image or make
  TimeNs captured =
      0;  // live: the capture stamp; file: when its data was handed to the decoder; the run's clock
  TimeNs media_time = 0;  // since the first frame, from the stream
};

struct SourceInfo {
  ImageType type;  // as far as the headers tell
  bool live = false;
  // Captures are computed or read from a local file: as fast as possible, the workers make them between
  // frames, so `next` may come from another thread each time. A source that may wait for anything else (a
  // network, a device, a queue) says false and has its own thread.
  bool only_computes = false;
  double fps = 0;            // 0: unknown
  std::int64_t frames = -1;  // -1: unknown
  // For sources whose decoder takes buffers itself (acquire_buffer): how many it may hold at once beyond
  // those that the plan needs downstream, and the least size of each. 0: none; buffers of image_bytes(type)
  // will do.
  int decoder_buffers = 0;
  std::size_t buffer_bytes = 0;
};

// What a source sees while it makes a capture.
class SourceContext {
 public:
  virtual ~SourceContext() = default;
  virtual const Options& options() const = 0;
  virtual const Clock& clock() const = 0;
  // True once the run is to end; `next` returns soon after (kCancelled).
  virtual bool stopping() const = 0;
  // A packet whose picture lies in a buffer of the source's pool. Lossless: waits for a free one; realtime:
  // kPoolEmpty.
  virtual Result<Packet> make_image(const ImageType& type) = 0;
  // A packet without a buffer, for pictures whose memory a decoder took with acquire_buffer.
  virtual Result<Packet> make() = 0;
  // A buffer of the source's pool for a decoder (get_buffer2), of at least `bytes`; any thread.
  virtual Result<BufferRef> acquire_buffer(std::size_t bytes) = 0;
  // A capture came broken: takes its number, is counted, is not produced.
  virtual void corrupt() = 0;
  virtual void reconnected() = 0;
  // The picture size changed: frames of the old size drain and pools are remade for `type` before this
  // returns.
  virtual Status format_changed(const ImageType& type) = 0;
  // The same for sources whose decoder takes buffers itself: pools are remade for info.type,
  // info.buffer_bytes and info.decoder_buffers. May be called while the decoder still holds buffers of the
  // old pool; they go back later.
  virtual Status source_changed(const SourceInfo& info) { return format_changed(info.type); }
};

// A source: `probe` opens it, then `next` is called, one call at a time, until it returns kEndOfStream
// (done), another failure (ended by error) or is stopped: from its own thread, or by the workers
// (`only_computes`) or the discrete executor. Pace, credits and counting are outside.
class SourceNode : public Node {
 public:
  virtual Result<SourceInfo> probe(const OpenContext& context) = 0;
  // May block on the outside world, never on the clock; returns within its own time-out.
  virtual Result<Capture> next(SourceContext& context) = 0;
  // Unblocks a `next` that is waiting; any thread.
  virtual void interrupt() {}
  Status process(Context&) final { return invalid("a source has no inputs"); }
};

}  // namespace sluice
