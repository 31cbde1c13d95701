// One run of a plan: opens its nodes, connects them to the flow core and an executor, and reports. Private to
// runtime.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "framework/core/clock.h"
#include "framework/graph/node_bodies.h"
#include "framework/graph/pools.h"
#include "framework/graph/source_feed.h"
#include "framework/plan/plan.h"
#include "inference/services.h"
#include "runtime/chosen_device.h"
#include "runtime/failures.h"
#include "runtime/live_selection.h"
#include "runtime/pipeline.h"
#include "runtime/process_stats.h"
#include "runtime/shared_pools.h"
#include "runtime/snapshot.h"
#include "runtime/telemetry_thread.h"
#include "runtime/trace.h"
#include "runtime/watchdog.h"

namespace sluice {

// What a run stands on. The program takes the defaults; tests bring a clock they drive, or another executor.
struct EngineSetup {
  Clock* clock = nullptr;                                                 // none: a SteadyClock of its own
  std::function<std::unique_ptr<Executor>(ExecutorSetup)> make_executor;  // none: the TbbExecutor
  WatchdogLimits limits;
  std::function<std::vector<std::unique_ptr<Backend>>(Clock&)> make_backends;  // none: those of this build
  std::function<std::unique_ptr<Telemetry>()> make_telemetry;  // none: what the file's `device` says
  TimeNs control_period = Selection::kPeriod;                  // of the selector
};

class Engine {
 public:
  explicit Engine(std::shared_ptr<const Plan> plan, EngineSetup setup = {});
  // Must not be called when `abandoned()`: threads that hang still use it (Pipeline keeps it for ever).
  ~Engine();

  // Creates the nodes (so that app_source and app_sink exist before start). `failed_at`: the place of the one
  // that cannot be made.
  Status create_nodes(Mark* failed_at = nullptr);
  Status probe(const RunOptions& options);
  Status start(const RunOptions& options);
  // What comes before `start` has failed: as if that had. A run that was started goes on. Gives `why`.
  Status fail_start(const Status& why);
  // Any thread, at any moment, also while `start` opens the sources.
  void stop(bool by_user);
  bool wait_for(double seconds);
  Status finish();
  RunReport report() const;
  RunSnapshot snapshot() const;
  double elapsed_s() const { return to_s(clock_.now() - started_at_); }
  Status set(std::string_view node, std::string_view option, std::string_view value);
  Status replace_model(std::string_view name, const std::string& path);
  Status use_variant(std::string_view model, std::string_view variant);
  Node* node(std::string_view id) const;
  // The watchdog gave the run up: a node or a source does not come back.
  bool abandoned() const { return abandoned_.load(); }
  const Pools* pools() const { return pools_.get(); }
  Executor* executor() { return executor_.get(); }

 private:
  Status open_and_begin(const RunOptions& options);
  Status set_off(const RunOptions& options);
  void end_what_started();
  bool may_run();
  void give_up(const Status& why);
  bool hangs(std::size_t node) const;
  Status open_sources();
  Status open_nodes();
  Status begin_run();
  Status begin_node(std::size_t n);
  Status make_pools();
  Status make_frame_pools(int source, const SourceInfo& info);
  void make_services(const RunOptions& options);
  void make_feeds(const RunOptions& options);
  void make_executor(const RunOptions& options);
  void connect_app_sources();
  void disconnect_app_sources();
  void begin_taking_calls();
  std::vector<BackendLoad> inference_load() const;
  void pool_available(int node);
  OpenContext open_context(int node) const;
  Status close_nodes();
  Status finish_trace();
  Status open_selection(const RunOptions& options);
  bool stop_is_wanted();
  void note_setting(SettingReport setting);
  Status choose_route(int choice, std::size_t route, const ModelRequest& model);
  void note_replaced(std::size_t n, const std::string& path);
  Status outcome() const;
  void count_produced();
  RunStatus run_status(const Status& result) const;
  void fill_what_ran(RunReport& report, const FlowCounters& counters) const;
  void fill_process(RunReport& report, const FlowCounters& counters) const;
  void fill_sources(RunReport& report) const;
  void fill_late_losses(RunReport& report) const;

  std::shared_ptr<const Plan> plan_;
  const EngineSetup setup_;
  std::unique_ptr<Clock> own_clock_;
  Clock& clock_;
  std::unique_ptr<InferenceServices> services_;
  std::vector<std::unique_ptr<Node>> nodes_;  // by plan index
  std::vector<char> opened_;
  std::vector<SourceInfo> infos_;  // by source
  FlowGraph flow_;
  std::unique_ptr<SharedPools> shared_;  // of the probe
  std::unique_ptr<Pools> pools_;
  std::unique_ptr<Trace> trace_;  // outlives the executor that tells it
  std::unique_ptr<NodeBodies> bodies_;
  ChosenDevice device_;                       // of the probe
  std::unique_ptr<LiveSelection> selection_;  // null: policy fixed and nothing to go to, everywhere
  std::vector<std::unique_ptr<NodeFeed>> feeds_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<Failures> failures_;
  std::unique_ptr<Watchdog> watchdog_;
  // One change of models at a time. None before the selector has measured and chosen, which it does without a
  // lock, and none once the nodes are closed.
  std::mutex models_mutex_;
  bool models_open_ = false;
  std::unique_ptr<Telemetry> sensors_;          // between probe and start
  std::unique_ptr<TelemetryThread> telemetry_;  // null: nothing is read
  bool probed_ = false;
  bool executor_entered_ = false;
  std::mutex stop_mutex_;  // guards the next two
  bool running_ = false;   // `stop` is the executor's business
  bool stop_wanted_ = false;
  std::atomic<bool> stopped_by_user_{false};
  std::atomic<bool> giving_up_{false};
  std::atomic<bool> abandoned_{false};
  std::vector<int> hung_nodes_;  // set before abandoned_
  Status gave_up_;               // likewise: why
  TimerId duration_timer_ = 0;
  TimeNs started_at_ = 0;
  std::atomic<std::uint64_t> produced_{0};
  ProcessStats steady_start_;  // after the first 30 frames
  std::atomic<bool> steady_{false};
  // Guards what follows, which reports of any thread read and only `start`, `finish` and `set` write. What
  // else a report reads is made before `readable_` and stays as long as this.
  mutable std::mutex mutex_;
  bool readable_ = false;
  bool started_ = false;
  bool finished_ = false;
  Status start_status_;
  Status close_status_;
  TimeNs ended_at_ = 0;
  ProcessStats steady_end_;
  std::uint64_t steady_frames_ = 0;
  std::deque<SettingReport> settings_;  // the last ones
  std::uint64_t settings_left_out_ = 0;
};

}  // namespace sluice
