// SimulatedRun: a plan on a simulated device. The flow core and its counts are the real ones, under the
// discrete-event executor; no node body runs, a cost model stands in their place.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "framework/graph/discrete_executor.h"
#include "inference/run_queue.h"
#include "simulation/device.h"
#include "simulation/fake_faults.h"
#include "simulation/node_costs.h"
#include "simulation/simulated_feed.h"

namespace sluice {

struct SimulatedSetup {
  std::shared_ptr<const Plan> plan;
  DeviceProfile profile;
  std::vector<SourceInfo> sources;  // by source: what their headers say
  Timings timings;
  std::optional<std::int64_t> frames;  // captures per source
  std::optional<double> duration_s;
  std::optional<double> ambient_c;  // none: the profile's
  std::uint64_t seed = 1;
  bool endless = false;    // files loop
  double cool_down_s = 0;  // at most: idles until steady before the run starts
  double period_s = 1;     // of control
};

// One change of an infer node's choice, for the report.
struct InferDecision {
  TimeNs at = 0;
  InferChoice choice;
};

struct InferState {
  int node = 0;  // plan index
  InferChoice choice;
  Histogram latency;  // from arrival at the node to the end of the run
  std::uint64_t runs = 0;
  TimeNs busy = 0;  // summed run times
  std::vector<InferDecision> decisions;
};

class SimulatedRun final : private Bodies, private FlowStorage {
 public:
  // Called at the end of each control period, also while nothing moves; may call `choose`.
  using OnPeriod = std::function<void(TimeNs now, const Readings& readings)>;

  // kUnavailable: the device cannot run a model.
  static Result<std::unique_ptr<SimulatedRun>> create(SimulatedSetup setup);
  ~SimulatedRun() override = default;

  // Called when a run of an infer node (by index into `infer()`) is set off, one that hangs when it is given
  // up: on what it ran, how long it keeps its unit, and ok or why it fails. May call `choose`.
  using OnRun =
      std::function<void(std::size_t infer, const InferChoice& choice, TimeNs took, const Status& status)>;
  // A node lost a frame by failing.
  using OnFailure = std::function<void(int node, const Status& status, const FrameInfo& frame)>;

  // Called before each event of the run.
  void on_event(std::function<void()> callback) { executor_->on_event(std::move(callback)); }
  void on_period(OnPeriod callback) { on_period_ = std::move(callback); }
  void on_run(OnRun callback) { on_run_ = std::move(callback); }
  void on_failure(OnFailure callback) { on_failure_ = std::move(callback); }
  // To its end, in this thread. kFailed when it stalls.
  Status run();
  // After the run: the device idles on, periods go on.
  void idle(double seconds);
  // No more captures; any thread.
  void stop() { executor_->stop(); }

  // From the next frame that starts at the node on. kUnavailable when the device cannot.
  Status choose(std::size_t infer, InferChoice choice);
  // One run beside the frames, which heats and queues as any other: milliseconds, or why it failed.
  Result<double> probe(std::size_t infer, const InferChoice& choice);
  const std::vector<InferState>& infer() const { return infer_; }
  const NodeCosts& costs() const { return *costs_; }
  const DeviceProfile& profile() const { return device_->profile(); }
  // What the source's header says; 0: nothing.
  double source_fps(std::size_t source) const { return setup_.sources[source].fps; }
  SimulatedDevice& device() { return *device_; }
  const FlowGraph& flow() const { return flow_; }
  const Plan& plan() const { return *setup_.plan; }
  FlowCounters counters() const { return executor_->counters(); }
  TimeNs now() const { return clock_.now(); }
  const Clock& clock() const { return clock_; }
  // Calls back at that moment of simulated time, after what else is due then.
  void call_at(TimeNs when, std::function<void()> callback) {
    clock_.at(when, TimerKey{-2, 1}, std::move(callback));
  }
  // The same, after the frames of that moment, too.
  void call_after_frames_at(TimeNs when, std::function<void()> callback) {
    clock_.at(when, TimerKey{INT64_MAX, INT64_MAX}, std::move(callback));
  }
  // The node that ended the run under its on_error rule, or -1.
  int stopped_by() const { return executor_->stopped_by(); }
  // Before it, where a cool-down was asked for.
  const std::optional<SimulatedDevice::Idle>& idled_before() const { return idled_before_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  explicit SimulatedRun(SimulatedSetup setup);
  Status prepare();
  void make_feeds();
  void make_executor();
  void tick();

  Outcome run(std::uint32_t unit, Slot slot, const FrameInfo& frame) override;
  void publish(std::uint32_t, Slot) override {}
  void release(std::uint32_t, Slot) override {}

  // What a node does to the flow, without its work.
  struct NodeState {
    const Options* options = nullptr;
    enum class Kind : std::uint8_t { kPlain, kInfer, kRateLimit, kDropStale, kSwitch } kind = Kind::kPlain;
    std::size_t infer = 0;   // kInfer: index into infer_
    TimeNs last_passed = 0;  // media time of the last frame that its rate let through
    bool started = false;
    Work work;
    FakeFaults faults;  // kInfer: of the backend `fake`
  };
  Outcome::Kind pass(NodeState& node, const FrameInfo& frame, TimeNs now, Outcome& outcome);
  double infer_rate(const NodeState& node) const;
  static bool is_due(NodeState& node, TimeNs media_time, double rate_hz);
  TimeNs do_work(NodeState& node, TimeNs now);
  TimeNs do_infer(NodeState& node, Work work, TimeNs arrived, TimeNs now, Status& status);
  void lose(int node, const Status& status, const FrameInfo& frame, Outcome& out);

  // A run of an accelerator on its way through its unit's queue.
  struct QueuedRun {
    std::uint32_t unit = 0;  // of the flow
    Slot slot = kNoSlot;
    Work work;  // chosen when it arrived, as a real run's session is
    TimeNs arrived = 0;
    std::uint64_t frame = 0;
  };
  // As inference/lane.h, of a unit of the device.
  struct Lane {
    RunQueue<QueuedRun> waiting;
    int running = 0;
  };
  bool waits_its_turn(const NodeState& node, const FlowUnit& unit) const;
  void enqueue(const NodeState& node, const QueuedRun& run);
  void dispatch(int device_unit);
  void start_queued(const QueuedRun& run);
  void end_queued(const QueuedRun& run);
  std::span<NodeRun> runs_of(std::uint32_t unit, Slot slot) {
    return runs_[slot * flow_.units.size() + unit];
  }

  SimulatedSetup setup_;
  ManualClock clock_;
  FlowGraph flow_;
  std::unique_ptr<SimulatedDevice> device_;
  std::optional<NodeCosts> costs_;
  std::vector<NodeState> nodes_;  // by plan index
  std::vector<InferState> infer_;
  std::vector<std::unique_ptr<SimulatedFeed>> feeds_;
  std::unique_ptr<DiscreteExecutor> executor_;
  OnPeriod on_period_;
  OnRun on_run_;
  OnFailure on_failure_;
  std::vector<std::vector<NodeRun>> runs_;  // [slot * units + unit]
  std::vector<Lane> lanes_;                 // by unit of the device
  TimeNs cost_ = 0;                         // of the unit that ran last; kNever: it waits in a lane
  TimeNs offset_ = 0;                       // device time at the run's zero
  std::optional<SimulatedDevice::Idle> idled_before_;
  std::uint64_t progress_ = 0;
  int idle_periods_ = 0;
  std::vector<std::string> warnings_;
};

}  // namespace sluice
