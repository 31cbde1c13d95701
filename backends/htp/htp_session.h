// A session on the NPU: votes around its runs, and a new one in its place when the device was reset.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "backends/htp/votes.h"
#include "backends/ort/session.h"
#include "framework/core/clock.h"
#include "inference/memory_offer.h"
#include "inference/performance_modes.h"

namespace sluice::htp {

// How often the device was reset, over all sessions of a backend. Thread-safe.
class Health {
 public:
  static constexpr std::size_t kMost = 3;  // within kWithin: the backend has failed
  static constexpr TimeNs kWithin = 60'000'000'000;

  // True when this one makes the backend failed.
  bool add_reset(TimeNs now);
  bool failed() const;
  static Status failure();

 private:
  mutable std::mutex mutex_;
  std::vector<TimeNs> resets_;  // the last kMost
  bool failed_ = false;
};

// True for what a run says when the NPU or its process went away: QNN's 1007 and 1011, ONNX Runtime's
// ORT_DEVICE_RESET, the provider's "NPU crashed".
bool is_device_reset(const Status& status);

class HtpSession final : public Session, public PerformanceModes, public MemoryUser {
 public:
  using Reopen = std::function<Result<std::unique_ptr<ort::OrtSession>>()>;
  struct Setup {
    Clock* clock = nullptr;
    std::shared_ptr<Health> health;
    Placement placement;
    bool simulated = false;
    std::string performance_mode;
    TimeNs idle_release = 0;
    std::shared_ptr<MemorySource> memory;  // what it reads and writes in place; null: it copies
    Reopen reopen;                         // called from a thread of the session's own, one call at a time
  };
  HtpSession(std::unique_ptr<ort::OrtSession> session, Setup setup);
  ~HtpSession() override;

  const ModelSignature& signature() const override { return signature_; }
  std::string_view backend() const override { return "htp"; }
  bool simulated() const override { return setup_.simulated; }
  // The one it was opened with.
  std::string_view performance_mode() const override { return setup_.performance_mode; }
  RunKind kind() const override { return RunKind::kWaits; }
  // One NPU. While one run computes, another's tensors travel: the rate of a QCS6490 grows up to two runs at
  // once (32.5 -> 46.8 -> 47.3 frames per second, facts_devices).
  Accelerator accelerator() const override { return {.name = "htp", .runs_at_once = 2}; }
  int slots() const override { return slots_; }
  bool static_batch() const override { return true; }
  Placement placement() const override { return setup_.placement; }
  // After a reset the frame is run once more when the new session is there in time, else it fails; so do
  // those that come meanwhile. kUnavailable: too many resets.
  Status run(int slot, std::span<const Tensor* const> inputs, std::span<Tensor* const> outputs) override;
  std::shared_ptr<MemorySource> memory() const override { return setup_.memory; }
  Status set_performance_mode(const std::string& mode) override;
  // QNN cannot stop a run.
  void cancel(int slot) override;

 private:
  using Inner = std::shared_ptr<ort::OrtSession>;
  Inner current() const;
  Status run_on(const Inner& inner, int slot, std::span<const Tensor* const> inputs,
                std::span<Tensor* const> outputs);
  Status note_reset(const Inner& lost, TimeNs now);
  void start_repair(TimeNs now);
  void repair(TimeNs now);
  Inner wait_for_repair();

  const Setup setup_;
  const ModelSignature signature_;
  const int slots_;
  mutable std::mutex mutex_;
  Inner session_;           // null: lost
  bool repairing_ = false;  // under the mutex
  std::condition_variable repaired_;
  std::thread repair_;  // under the mutex while it is started
  Votes votes_;         // before the sessions go
};

}  // namespace sluice::htp
