#include "tests/runtime/faults/fault_run.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <numeric>
#include <stdexcept>
#include <thread>

namespace sluice::testing {
namespace {

std::uint64_t sum(const DropCounts& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

int entries_of(const char* folder) {
  int entries = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) entries += entry.exists() ? 1 : 1;
  return entries;
}

// Engines of runs that were abandoned: reachable, so that they are no leaks.
std::vector<Engine*>& abandoned_engines() {
  static auto* const kAll = new std::vector<Engine*>();
  return *kAll;
}

}  // namespace

std::string broken_equations(const RunReport& report) {
  std::string out;
  for (const SourceReport& s : report.sources) {
    if (s.produced == s.delivered + sum(s.dropped)) continue;
    out += fmt::format("source {}: {} produced, {} delivered, {} dropped\n", s.id, s.produced, s.delivered,
                       sum(s.dropped));
  }
  for (const SinkReport& s : report.sinks) {
    if (s.due == s.delivered + sum(s.dropped)) continue;
    out +=
        fmt::format("sink {}: {} due, {} delivered, {} dropped\n", s.id, s.due, s.delivered, sum(s.dropped));
  }
  for (const NodeReport& n : report.nodes) {
    if (n.in == n.processed + n.filtered + sum(n.dropped)) continue;
    out += fmt::format("node {}: {} in, {} processed, {} filtered, {} dropped\n", n.id, n.in, n.processed,
                       n.filtered, sum(n.dropped));
  }
  if (report.in_flight) out += "a final report has frames in flight\n";
  return out;
}

std::size_t abandoned_runs() { return abandoned_engines().size(); }
int threads_now() { return entries_of("/proc/self/task"); }
int descriptors_now() { return entries_of("/proc/self/fd"); }

bool threads_come_down_to(int threads) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (threads_now() > threads && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
  return threads_now() <= threads;
}

FaultRun::FaultRun(const std::string& yaml, EngineSetup setup, const LoadOptions& options) {
  Result<Pipeline> loaded = Pipeline::load(yaml, registry_with_faults(), options);
  if (!loaded.ok()) throw std::runtime_error(loaded.status().message());
  pipeline_.emplace(std::move(*loaded));
  engine_ = std::make_unique<Engine>(
      std::shared_ptr<const Plan>(std::shared_ptr<const Plan>(), &pipeline_->plan()), std::move(setup));
  if (const Status status = engine_->create_nodes(); !status.ok()) throw std::runtime_error(status.message());
}

FaultRun::~FaultRun() {
  if (!engine_->abandoned()) return;
  abandoned_engines().push_back(engine_.release());
  static auto* const kPlans = new std::vector<Pipeline>();
  kPlans->push_back(std::move(*pipeline_));
}

Status FaultRun::run(const RunOptions& options) {
  SLUICE_RETURN_IF_ERROR(engine_->start(options));
  return wait();
}

Status FaultRun::wait() {
  if (!engine_->wait_for(60)) return timed_out("the run hangs");
  return engine_->finish();
}

RunReport FaultRun::report() const {
  RunReport report = engine_->report();
  EXPECT_EQ(broken_equations(report), "");
  return report;
}

const NodeReport& node_of(const RunReport& report, std::string_view id) {
  for (const NodeReport& node : report.nodes) {
    if (node.id == id) return node;
  }
  throw std::runtime_error("no node " + std::string(id));
}

const SinkReport& sink_of(const RunReport& report, std::string_view id) {
  for (const SinkReport& sink : report.sinks) {
    if (sink.id == id) return sink;
  }
  throw std::runtime_error("no sink " + std::string(id));
}

std::uint64_t count(const DropCounts& counts, DropReason reason) {
  return counts[static_cast<std::size_t>(reason)];
}

}  // namespace sluice::testing
