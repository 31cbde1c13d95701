// sluice profile
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "backends/backends.h"
#include "backends/ort/layer_profile.h"
#include "framework/core/clock.h"
#include "framework/core/suggest.h"
#include "inference/checked_model.h"
#include "runtime/logging.h"
#include "tools/sluice/commands.h"
#include "tools/sluice/fixed_dims.h"
#include "tools/sluice/interrupts.h"
#include "tools/sluice/layer_operators.h"
#include "tools/sluice/model_data.h"
#include "tools/sluice/output.h"
#include "tools/sluice/profile_report.h"
#include "tools/sluice/soc.h"
#include "tools/sluice/temporary_file.h"

namespace sluice::cli {
namespace {

constexpr double kMlperfSeconds = 60;
constexpr double kQuickSeconds = 5;
constexpr int kQuickRuns = 100;
constexpr int kLayerRuns = 10;
constexpr int kSimulatedLayerRuns = 1;  // its cycles do not vary
constexpr std::size_t kMostSamples = 64;

Result<std::vector<KeptSample>> read_samples(const ProfileArguments& arguments) {
  if (arguments.inputs.empty()) return std::vector<KeptSample>{};
  SLUICE_ASSIGN(const quantize::Module* const module, quantize_module());
  SLUICE_ASSIGN(const auto network, module->open_network(arguments.model, {}));
  SLUICE_ASSIGN(const auto arrays, module->open_npz(arguments.inputs, network->inputs()));
  std::vector<KeptSample> out;
  const Status read = arrays->for_each([&](const quantize::Sample& sample) {
    if (out.size() < kMostSamples) out.push_back(keep(sample));
    return Status{};
  });
  if (!read.ok()) return read.with_context("--inputs: ");
  if (out.empty()) return invalid("--inputs '" + arguments.inputs + "' holds no sample");
  return out;
}

// On the CPU ONNX Runtime's own profiler tells, in a session of its own.
Result<std::vector<LayerTime>> cpu_layers(const std::string& model, const KeptSample& sample) {
  std::vector<ort::NamedArray> inputs;
  for (const quantize::SampleInput& input : sample.sample)
    inputs.push_back({input.name, {input.dtype, input.shape, input.data, input.bytes}});
  SLUICE_ASSIGN(const std::string text, ort::profile_layers(model, inputs, kLayerRuns));
  return read_ort_profile(text);
}

std::string text_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// On the GPU our provider waits for each kernel, and writes a file when the session ends.
Result<std::vector<LayerTime>> gpu_layers(Backend& backend, const std::string& model, RunPlan plan,
                                          const KeptSample& sample) {
  SLUICE_ASSIGN(const TemporaryFile file, TemporaryFile::make("profile", "layers.csv", {}));
  plan.options["profiling_path"] = {file.path()};
  {
    SLUICE_ASSIGN(const auto side, open_for_profile(backend, model, plan));
    for (int i = 0; i < kLayerRuns; ++i) SLUICE_RETURN_IF_ERROR(side->run(sample.sample).status());
  }
  return read_gpu_profile(text_of_file(file.path()));
}

// On the NPU the provider writes a CSV file.
Result<std::vector<LayerTime>> htp_layers(Backend& backend, const std::string& model, RunPlan plan,
                                          const KeptSample& sample, bool simulated) {
  SLUICE_ASSIGN(const TemporaryFile csv, TemporaryFile::make("profile", "layers.csv", {}));
  plan.options["profiling"] = {std::string("detailed")};
  plan.options["profiling_path"] = {csv.path()};
  {
    SLUICE_ASSIGN(const auto side, open_for_profile(backend, model, plan));
    for (int i = 0; i < (simulated ? kSimulatedLayerRuns : kLayerRuns); ++i)
      SLUICE_RETURN_IF_ERROR(side->run(sample.sample).status());
  }
  return read_qnn_profile(text_of_file(csv.path()));
}

Result<std::vector<LayerTime>> timed_layers(Backend& backend, const std::string& model, const RunPlan& plan,
                                            const std::vector<KeptSample>& samples,
                                            const RunFigures& figures) {
  std::vector<KeptSample> made_up;
  if (samples.empty()) {
    SLUICE_ASSIGN(const auto side, open_for_profile(backend, model, plan));
    made_up.push_back(made_up_sample(side->session().signature()));
  }
  const KeptSample& sample = samples.empty() ? made_up[0] : samples[0];
  if (backend.name() == "cpu") return cpu_layers(model, sample);
  if (backend.name() == "gpu") return gpu_layers(backend, model, plan, sample);
  if (backend.name() == "htp") return htp_layers(backend, model, plan, sample, figures.simulated);
  return unavailable("this backend has no profiler");
}

Result<std::vector<LayerTime>> layers_on(Backend& backend, const std::string& model, const RunPlan& plan,
                                         const std::vector<KeptSample>& samples, const RunFigures& figures) {
  SLUICE_ASSIGN(auto layers, timed_layers(backend, model, plan, samples, figures));
  SLUICE_ASSIGN(const auto checked,
                check_model({.name = model, .variant = {}, .path = model, .sha256 = {}, .dims = plan.dims}));
  describe_layers(checked->header, layers);
  return layers;
}

Result<BackendProfile> profile_on(Backend& backend, const ProfileArguments& arguments,
                                  const std::vector<KeptSample>& samples, RunPlan plan) {
  BackendProfile out;
  out.backend = std::string(backend.name());
  if (out.backend == "htp" && !arguments.soc.empty()) {
    out.soc = arguments.soc;
    plan.options["soc"] = {arguments.soc};
  }
  auto figures = run_profile(backend, arguments.model, samples, plan);
  if (figures.status().code() == Code::kUnavailable) {
    out.reason = with_shape_option(figures.status().message());
    return out;
  }
  if (!figures.ok()) return figures.status();
  out.figures = std::move(*figures);
  auto layers = layers_on(backend, arguments.model, plan, samples, *out.figures);
  if (layers.ok()) out.layers = std::move(*layers);
  if (!layers.ok()) out.layers_reason = layers.status().message();
  return out;
}

RunPlan plan_of(const ProfileArguments& arguments, Interrupts& interrupts) {
  RunPlan out;
  const bool quick = arguments.scenario.empty();
  out.seconds = arguments.duration_s.value_or(quick ? kQuickSeconds : kMlperfSeconds);
  out.most_runs = quick && !arguments.duration_s ? kQuickRuns : 0;
  out.offline = arguments.scenario == "offline";
  out.interrupted = [&interrupts] { return interrupts.interrupted(); };
  return out;
}

Result<ModelProfile> profile(const ProfileArguments& arguments, Interrupts& interrupts) {
  SteadyClock clock;
  const auto backends = make_backends(clock);
  const bool all = arguments.backend == "all";
  std::vector<std::string> names = {"all"};
  for (const auto& backend : backends) names.emplace_back(backend->name());
  if (std::find(names.begin(), names.end(), arguments.backend) == names.end())
    return invalid("--backend is '" + arguments.backend + "'" + allowed(arguments.backend, names));
  if (!arguments.soc.empty()) {
    SLUICE_RETURN_IF_ERROR(check_soc(arguments.soc));
    if (!all && arguments.backend != "htp")
      return invalid("--soc names a chip of backend 'htp'; leave it out");
  }
  SLUICE_ASSIGN(const std::vector<KeptSample> samples, read_samples(arguments));
  RunPlan plan = plan_of(arguments, interrupts);
  SLUICE_ASSIGN(plan.dims, fixed_dims(arguments.model, arguments.shapes));
  ModelProfile out;
  out.model = arguments.model;
  out.scenario = arguments.scenario;
  out.wanted_s = plan.seconds;
  out.shortened = !arguments.scenario.empty() && plan.seconds < kMlperfSeconds;
  out.samples = samples.size();
  bool usable = false;
  for (const auto& backend : backends) {
    if (all ? backend->name() == "fake" : backend->name() != arguments.backend) continue;
    SLUICE_ASSIGN(BackendProfile profiled, profile_on(*backend, arguments, samples, plan));
    if (!profiled.figures && !all) return unavailable(profiled.reason);
    usable = usable || profiled.figures.has_value();
    out.backends.push_back(std::move(profiled));
  }
  if (usable) return out;
  std::string reasons;
  for (const BackendProfile& backend : out.backends)
    reasons += (reasons.empty() ? "" : "\n") + backend.backend + ": " + backend.reason;
  return unavailable(reasons);
}

}  // namespace

int execute(const ProfileArguments& arguments) {
  Interrupts interrupts;
  const auto logging = Logging::start({LogLevel::kWarning, {}});
  const auto found = profile(arguments, interrupts);
  if (!found.ok()) {
    const bool interrupted = found.status().code() == Code::kCancelled;
    interrupted ? print_note("interrupted: there is no result") : print_error(found.status().message());
    return interrupted ? kDone : exit_code_of(found.status());
  }
  return print_result(arguments.json ? profile_json(*found) : profile_text(*found));
}

}  // namespace sluice::cli
