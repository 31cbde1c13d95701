// One run of a plan: opens its nodes, connects them to the flow core and an executor, and reports. Private to
// runtime.
#pragma once

#include <atomic>
#include <condition_variable>
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
#include "runtime/failures.h"
#include "runtime/pipeline.h"
#include "runtime/process_stats.h"
#include "runtime/trace.h"
#include "runtime/watchdog.h"

namespace sluice {

class Engine {
 public:
  explicit Engine(std::shared_ptr<const Plan> plan);
  ~Engine();

  // Creates the nodes (so that app_source and app_sink exist before start).
  Status create_nodes();
  Status probe(const RunOptions& options);
  Status start(const RunOptions& options);
  void stop(bool by_user);
  bool wait_for(double seconds);
  Status finish();
  RunReport report() const;
  Status set(std::string_view node, std::string_view option, std::string_view value);
  Status replace_model(std::string_view name, const std::string& path);
  Status use_variant(std::string_view model, std::string_view variant);
  Node* node(std::string_view id) const;

 private:
  Status open_sources();
  Status open_nodes();
  Status begin_run();
  Status make_pools();
  Status make_frame_pools(int source, const SourceInfo& info);
  void make_services();
  void make_feeds(const RunOptions& options);
  void make_executor(const RunOptions& options);
  void connect_app_sources();
  void pool_available(int node);
  OpenContext open_context(int node) const;
  Status close_nodes();
  Status finish_trace();
  Status choose_route(int choice, std::size_t route, const ModelRequest& model);
  Status outcome() const;
  void count_produced();
  void fill_process(RunReport& report, const FlowCounters& counters) const;
  void fill_sources(RunReport& report, const FlowCounters& counters) const;

  std::shared_ptr<const Plan> plan_;
  SteadyClock clock_;
  std::unique_ptr<InferenceServices> services_;
  std::vector<std::unique_ptr<Node>> nodes_;  // by plan index
  std::vector<char> opened_;
  std::vector<SourceInfo> infos_;  // by source
  FlowGraph flow_;
  std::unique_ptr<Pools> pools_;
  std::unique_ptr<Trace> trace_;  // outlives the executor that tells it
  std::unique_ptr<NodeBodies> bodies_;
  std::vector<std::unique_ptr<NodeFeed>> feeds_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<Failures> failures_;
  std::unique_ptr<Watchdog> watchdog_;
  std::mutex models_mutex_;  // one change of models at a time, and none once the nodes are closed
  bool models_open_ = false;
  bool probed_ = false;
  bool started_ = false;
  bool finished_ = false;
  std::atomic<bool> stopped_by_user_{false};
  TimerId duration_timer_ = 0;
  TimeNs started_at_ = 0;
  TimeNs ended_at_ = 0;
  Status close_status_;
  mutable std::mutex mutex_;  // settings
  std::vector<SettingReport> settings_;
  std::atomic<std::uint64_t> produced_{0};
  ProcessStats steady_start_;  // after the first 30 frames
  std::atomic<bool> steady_{false};
  ProcessStats steady_end_;
  std::uint64_t steady_frames_ = 0;
};

}  // namespace sluice
