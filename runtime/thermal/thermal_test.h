// The sustained-performance test of `sluice thermal`: cool-down, load, recovery, for each policy and
// repetition.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "framework/core/clock.h"
#include "framework/core/status.h"
#include "inference/telemetry/telemetry.h"
#include "runtime/pipeline.h"
#include "runtime/thermal/kept_files.h"
#include "runtime/thermal/results.h"

namespace sluice {

struct ThermalOptions {
  std::string file;
  std::vector<std::pair<std::string, std::string>> set;       // node.option, value
  std::vector<std::pair<std::string, std::string>> backends;  // node, backend: forced
  std::optional<std::string> pace;
  std::string device = "real";
  std::string timings;
  std::optional<double> ambient_c;
  double duration_s = 1800;  // of the load
  double cool_down_s = 600;  // at most
  double recovery_s = 60;
  std::vector<std::string> policies;  // one run each; empty: one run as the file says
  int repeat = 1;
  // Readings of the phases in which nothing runs, and their clock, on a real device. None: what the file's
  // `device` section asks for, and a SteadyClock.
  std::function<std::unique_ptr<Telemetry>()> telemetry;
  Clock* clock = nullptr;
};

// A limit of the device that plots show beside its temperatures.
struct ThermalLimit {
  std::string role;
  double celsius = 0;
};

struct ThermalReport {
  std::string pipeline;
  // Of what was tested (identity.h); empty: a result of an older version, no models, or no profile.
  std::string pipeline_sha256, models_sha256, profile_sha256;
  bool simulated = false;  // the device; of a real one, a backend may be all the same
  std::string device;      // "real", or the profile's name
  std::string readings;    // real: the profile that its readings are simulated of; empty: they are its own
  std::optional<double> ambient_c;
  double duration_s = 0;
  std::string load;  // what the command changed of the file: "--pace 30 --backend face=gpu"
  std::vector<ThermalLimit> limits;
  std::vector<ThermalRun> runs;
};

class ThermalTest {
 public:
  // Told after each window of `run`, one of the report's. A failure ends the test.
  using OnWindow = std::function<Status(const ThermalReport& report, const ThermalRun& run)>;
  ThermalTest(ThermalOptions options, OnWindow on_window);

  // Loads the file once: every error and warning of it.
  bool check(LoadIssues& issues);
  // What an interrupted test of the same options had found: complete runs are kept, an incomplete one goes on
  // where it was (a simulated one starts again: it gives the same windows). kInvalid: of another test, or
  // windows that no test has written.
  Status resume(ThermalReport earlier);
  // Whether the sinks' files let those runs that are missing come: kInvalid or kFailed, naming one that does
  // not.
  Status check_files();
  // All runs that are missing. After `stop` the rest is left out, and the report holds what there is.
  Status run();
  // Any thread, more than once.
  void stop();
  bool stopped() const { return stopped_; }
  const ThermalReport& report() const { return report_; }

 private:
  bool simulated() const { return options_.device != "real"; }
  LoadOptions load_options(const std::string& policy) const;
  RunOptions run_options(const ThermalRun& run, double from_s) const;
  Status run_one(ThermalRun& run);
  Status load_phase(Pipeline& pipeline, ThermalRun& run);
  std::unique_ptr<Telemetry> idle_telemetry() const;
  void cool_down(ThermalRun& run);
  void note_idling(const RunReport& report, ThermalRun& run);
  Status recover(ThermalRun& run);
  std::vector<std::pair<std::string, int>> missing() const;  // policies and repetitions, in order
  ThermalRun* find(const std::string& policy, int repetition);

  ThermalOptions options_;
  OnWindow on_window_;
  SteadyClock steady_clock_;
  Clock& clock_;
  OptionMap device_;  // the file's section
  std::string file_policy_ = "fixed";
  std::vector<KeptFile> kept_files_;
  bool resumed_ = false;
  ThermalReport report_;
  std::atomic<bool> stopped_{false};
  std::mutex mutex_;
  Pipeline* running_ = nullptr;
};

}  // namespace sluice
