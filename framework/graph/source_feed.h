// A real source as the executor sees it: numbers its captures, keeps its pace, gives it buffers.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "framework/graph/executor.h"
#include "framework/graph/node_bodies.h"
#include "framework/graph/pools.h"

namespace sluice {

// How fast captures are made (contract section 3 rule 10).
struct Pace {
  enum class Kind : std::uint8_t { kMax, kRealtime, kRate } kind = Kind::kMax;
  double fps = 0;                              // kRate
  static Pace parse(const std::string& text);  // "max", "realtime", or a number; checked before
};

class NodeFeed final : public SourceFeed, public SourceContext {
 public:
  struct Setup {
    const Plan* plan = nullptr;
    int source = 0;
    SourceNode* node = nullptr;
    SourceInfo info;
    std::int64_t limit = -1;  // captures; -1: all
    bool external = false;    // pushed to
    NodeBodies* bodies = nullptr;
    Pools* pools = nullptr;
    Clock* clock = nullptr;
    // Pools of frames are remade for a new picture size (any thread but the workers').
    std::function<Status(int source, const SourceInfo&)> remake_pools;
    std::function<void()> on_capture;  // told of each capture; optional
  };
  explicit NodeFeed(Setup setup);
  void attach(Executor& executor);

  TimeNs next_due() override;
  Result<FrameInfo> next() override;
  TimeNs enter_due() override { return enter_due_; }
  void store(Slot slot) override;
  void discard() override { kept_.packet.reset(); }
  void interrupt() override;
  bool only_computes() const override { return pace_.kind == Pace::Kind::kMax && setup_.info.only_computes; }
  bool external() const override { return setup_.external; }

  // What an external source was given; see AppSource::Offer. The capture that reaches the limit ends the
  // source; those after it are kCancelled.
  Status push(Result<Capture> capture);

  const Options& options() const override;
  const Clock& clock() const override { return *setup_.clock; }
  bool stopping() const override { return stopping_.load(std::memory_order_relaxed); }
  Result<Packet> make_image(const ImageType& type) override;
  Result<Packet> make() override;
  Result<BufferRef> acquire_buffer(std::size_t bytes) override;
  void corrupt() override;
  void reconnected() override { reconnects_.fetch_add(1, std::memory_order_relaxed); }
  Status format_changed(const ImageType& type) override;
  Status source_changed(const SourceInfo& info) override;
  bool waits_for_buffer() const override { return waits_for_buffer_.load(std::memory_order_relaxed); }

  // A pool of this source has something again.
  void wake();
  std::uint64_t reconnects() const { return reconnects_.load(std::memory_order_relaxed); }
  std::uint64_t format_changes() const { return format_changes_.load(std::memory_order_relaxed); }
  const SourceInfo& info() const { return setup_.info; }

 private:
  // Calls `acquire` until it gives something; lossless waits in between, realtime gives up at once.
  template <typename T, typename Acquire>
  Result<T> acquire_or_wait(Acquire&& acquire);
  FrameInfo keep(Capture capture);
  bool at_limit() const { return setup_.limit >= 0 && number_ >= static_cast<std::uint64_t>(setup_.limit); }
  Status lose_pushed(const Status& why);
  Status offer_pushed();
  void end_at_limit();
  OutputPools& pools() { return setup_.pools->at(node_index_, 0); }

  Setup setup_;
  const int node_index_;
  const Pace pace_;
  Executor* executor_ = nullptr;
  OptionsPtr options_;
  Capture kept_;
  FrameInfo kept_frame_;
  std::uint64_t number_ = 0;
  TimeNs start_ = -1;  // when the first capture was due
  TimeNs last_media_ = 0;
  TimeNs enter_due_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> waits_for_buffer_{false};
  std::atomic<std::uint64_t> reconnects_{0};
  std::atomic<std::uint64_t> format_changes_{0};
  std::mutex mutex_;
  std::condition_variable available_;
};

}  // namespace sluice
