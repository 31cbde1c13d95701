// The timed part of `sluice profile`: one model on one backend, again and again.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/status.h"
#include "inference/inference.h"
#include "inference/onnx/shapes.h"
#include "quantize/samples.h"
#include "tools/sluice/model_side.h"

namespace sluice::cli {

// Samples that stay in memory; a model takes them in turn.
struct KeptSample {
  std::vector<std::vector<std::byte>> memory;
  quantize::Sample sample;  // views into `memory`
};
KeptSample keep(const quantize::Sample& sample);
// Numbers between -1 and 1 (integers that are not quantised: 0), the same every time.
KeptSample made_up_sample(const ModelSignature& signature);

struct RunPlan {
  OptionMap options;     // of the backend
  onnx::FixedDims dims;  // of the model
  double seconds = 0;    // at least; runs until then
  int most_runs = 0;     // 0: no limit
  bool offline = false;  // several sessions at once, as many as the backend can use
  std::function<bool()> interrupted;
};

struct RunFigures {
  std::int64_t runs = 0;
  int streams = 1;
  double seconds = 0;
  std::vector<double> ms;            // of each run, sorted
  double cpu_ms_per_run = 0;         // of the whole process
  std::optional<double> session_mb;  // what opening and warming up added to the resident memory
  std::optional<double> peak_rss_mb;
  double open_ms = 0, first_run_ms = 0;
  bool simulated = false;
  Placement placement;
  // 0..1, by linear interpolation between the two nearest runs; `ms` is not empty.
  double quantile(double q) const;
  double mean() const;
};

// Operators that the backend lacks run on the CPU: what that costs is a figure too, and `placement` tells.
// Errors as of ModelSide::open; kUnavailable too when it lacks all.
Result<std::unique_ptr<ModelSide>> open_for_profile(Backend& backend, const std::string& model,
                                                    const RunPlan& plan);

// Opens the model, warms it up and runs it. `samples`: empty for made-up ones. kUnavailable, kInvalid (the
// samples do not fit), kFailed; kCancelled.
Result<RunFigures> run_profile(Backend& backend, const std::string& model,
                               const std::vector<KeptSample>& samples, const RunPlan& plan);

}  // namespace sluice::cli
