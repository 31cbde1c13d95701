// A plan on a simulated device (`--device sim:PROFILE`), with the report of a real run. Private to runtime
// and the thermal test.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "runtime/chosen_device.h"
#include "runtime/device_summary.h"
#include "runtime/failures.h"
#include "runtime/lent_lock.h"
#include "runtime/opening_stop.h"
#include "runtime/pipeline.h"
#include "runtime/simulated_selection.h"
#include "runtime/snapshot.h"
#include "simulation/simulated_run.h"

namespace sluice {

// What the sources of a plan say of themselves: each is opened once and closed. kUnavailable for an
// application's ends, kFailed when one cannot be opened. `stop` ends it early, with any failure.
Result<std::vector<SourceInfo>> read_source_headers(const Plan& plan, OpeningStop& stop);

class SimulatedEngine {
 public:
  // kInvalid: the profile, the timings or the recording; kUnavailable: a model that the device cannot run.
  static Result<std::unique_ptr<SimulatedEngine>> create(std::shared_ptr<const Plan> plan,
                                                         const RunOptions& options,
                                                         const ChosenDevice& device, OpeningStop& stop);
  // The whole run, in this thread.
  Status run();
  // Of the run, once it is over.
  const Status& outcome() const { return outcome_; }
  // Any thread, at any moment, also while it runs.
  void stop();
  RunReport report() const;
  RunSnapshot snapshot() const;
  SimulatedRun& simulation() { return *run_; }

 private:
  SimulatedEngine(std::unique_ptr<SimulatedRun> run, const RunOptions& options);
  Status run_to_the_end();
  void warn_of_selection();
  Status begin_selection(const ChosenDevice& device);

  std::unique_ptr<SimulatedRun> run_;
  std::unique_ptr<SimulatedSelection> selection_;  // null: nothing is to be chosen
  std::vector<std::string> warned_;                // by infer node; empty: nothing
  RunOptions options_;
  Failures failures_;
  Readings readings_;  // the last ones
  double energy_at_start_j_ = 0;
  double energy_j_ = 0;  // of the run
  TimeNs ended_ = 0;
  DeviceSummary summary_;
  std::atomic<bool> stopped_{false};
  mutable LentLock lock_;  // of all but stopped_: `run` has it while it works
  bool loaded_ = false;    // the run is over; the device idles
  Status outcome_;
};

}  // namespace sluice
