#include "runtime/thermal/thermal_test.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <set>

#include "framework/core/redact.h"
#include "framework/core/suggest.h"
#include "inference/backend_options.h"
#include "inference/selection/node_setup.h"
#include "runtime/builtin.h"
#include "runtime/snapshot.h"
#include "runtime/telemetry_thread.h"
#include "runtime/thermal/earlier_test.h"
#include "runtime/thermal/identity.h"
#include "simulation/profile_reader.h"

namespace sluice {
namespace {

constexpr double kSteadyKelvinPerMinute = 0.5;  // of the hottest sensor of a real device, at 1 degree steps
constexpr int kSteadyOverS = 60;
constexpr const char* kNoCoolDown = "none asked for";
constexpr const char* kSteady = "steady";
constexpr const char* kNotSteady = "not steady within the time given";
constexpr std::string_view kPrefix = "sim:";

std::vector<ThermalLimit> limits_of(const DeviceProfile& profile) {
  std::vector<ThermalLimit> out;
  for (const TripProfile& trip : profile.governor.trips) {
    for (const SensorProfile& sensor : profile.sensors) {
      if (sensor.node == trip.node) out.push_back({std::string(name_of(sensor.role)), trip.limit_c});
    }
  }
  return out;
}

// `--backend NODE=B` of a node that runs no model, or of no backend.
Issues wrong_backends(const GraphSpec& spec, const std::vector<std::pair<std::string, std::string>>& forced) {
  Issues out;
  std::vector<std::string> nodes;
  for (const NodeSpec& node : spec.nodes)
    if (node.type == "infer") nodes.push_back(node.id);
  for (const auto& [node, backend] : forced) {
    const std::string option = fmt::format("--backend '{}={}'", node, backend);
    if (std::ranges::find(nodes, node) == nodes.end()) {
      const bool there = std::ranges::find(spec.nodes, node, &NodeSpec::id) != spec.nodes.end();
      out.push_back({{},
                     option + (there ? " names a node that runs no model" : " names no node") +
                         (nodes.empty() ? ", and there is none that does" : allowed(node, nodes))});
    }
    const std::vector<std::string> backends = backend_names();
    if (std::ranges::find(backends, backend) == backends.end())
      out.push_back({{}, option + " names no backend" + allowed(backend, backends)});
  }
  return out;
}

// What makes one load another than that of the same file.
std::string load_words(const ThermalOptions& options) {
  std::string out;
  const auto add = [&out](const std::string& words) { out.append(out.empty() ? "" : " ").append(words); };
  if (options.pace) add("--pace " + *options.pace);
  for (const auto& [node, backend] : options.backends) add(fmt::format("--backend {}={}", node, backend));
  for (const auto& [key, value] : options.set) add(fmt::format("--set {}={}", key, redact_url(value)));
  if (!options.timings.empty()) add("--timings " + options.timings);
  return out;
}

// Where a json_sink writes; the last word counts, and standard output is the default.
std::string path_of(const NodeSpec& node, const std::vector<std::pair<std::string, std::string>>& set) {
  const Value* const written = node.options.map() ? node.options.find("path") : nullptr;
  std::string out = written && written->text() ? *written->text() : "-";
  for (const auto& [key, value] : set)
    if (key == node.id + ".path") out = value;
  return out;
}

// What the file's own infer nodes ask for; nodes that differ are joined: "balanced+sustained".
std::string policy_of(const Plan& plan) {
  std::set<std::string> all;
  for (const NodePlan& node : plan.nodes) {
    if (node.declaration->infers) all.emplace(name_of(selector_policy(*node.options, 0).kind));
  }
  return all.empty() ? std::string(name_of(PolicyKind::kFixed)) : fmt::format("{}", fmt::join(all, "+"));
}

// The profile that a real test's readings come from; empty: they are of this machine.
std::string simulated_readings(const OptionMap& device) {
  const Options options(device);
  return options.text("telemetry") == "simulated" ? options.text("profile") : "";
}

// What this machine has no hardware for ran too.
void add_simulated_backends(const RunReport& report, ThermalRun& run) {
  for (const InferenceReport& i : report.inference) {
    for (const std::string& backend : i.simulated_backends)
      if (std::ranges::find(run.simulated_backends, backend) == run.simulated_backends.end())
        run.simulated_backends.push_back(backend);
  }
}

// False when the test was stopped before.
bool wait_until(Clock& clock, TimeNs until, const std::atomic<bool>& stopped) {
  // In steps: nobody wakes this clock when the test is stopped.
  while (!stopped && clock.now() < until)
    clock.sleep_until(std::min(until, clock.now() + from_ms(100)), [&stopped] { return stopped.load(); });
  return !stopped;
}

}  // namespace

ThermalTest::ThermalTest(ThermalOptions options, OnWindow on_window)
    : options_(std::move(options)),
      on_window_(std::move(on_window)),
      clock_(options_.clock ? *options_.clock : steady_clock_) {
  report_.simulated = simulated();
  report_.device = simulated() ? options_.device.substr(kPrefix.size()) : "real";
  report_.duration_s = options_.duration_s;
  report_.ambient_c = options_.ambient_c;
  report_.load = load_words(options_);
}

// Files loop for as long as the load lasts. An empty policy: the file's own.
LoadOptions ThermalTest::load_options(const std::string& policy) const {
  LoadOptions out;
  out.set = options_.set;
  out.pace = options_.pace;
  for (const auto& [node, backend] : options_.backends)
    out.set.emplace_back(node + ".backends", "[" + backend + "]");
  const ParsedSpec spec = parse_spec_file(options_.file);
  for (const NodeSpec& node : spec.spec.nodes) {
    if (node.type == "video_source") out.set.emplace_back(node.id + ".loop", "true");
    if (node.type == "image_source") out.set.emplace_back(node.id + ".repeat", "1000000000");  // its most
    if (node.type == "infer" && !policy.empty()) out.set.emplace_back(node.id + ".policy", policy);
    // stdout is for the test's own result; the lines are made all the same.
    if (node.type == "json_sink" && path_of(node, options_.set) == "-")
      out.set.emplace_back(node.id + ".path", "/dev/null");
  }
  return out;
}

bool ThermalTest::check(LoadIssues& issues) {
  const ParsedSpec parsed = parse_spec_file(options_.file);
  if (parsed.issues.empty()) issues.issues = wrong_backends(parsed.spec, options_.backends);
  issues.file = options_.file;
  if (!issues.issues.empty()) return false;
  std::optional<Pipeline> pipeline =
      Pipeline::load(options_.file, builtin_registry(),
                     load_options(options_.policies.empty() ? "" : options_.policies.front()), issues);
  if (pipeline) {
    report_.pipeline = pipeline->plan().name;
    report_.pipeline_sha256 = spec_sha256(parsed.spec);
    report_.models_sha256 = models_sha256(pipeline->plan());
    file_policy_ = policy_of(pipeline->plan());
    device_ = pipeline->plan().device;
    kept_files_ = kept_files(pipeline->plan());
    report_.readings = simulated() ? "" : simulated_readings(device_);
    const std::string& profile = simulated() ? report_.device : report_.readings;
    if (!profile.empty()) report_.profile_sha256 = profile_sha256(profile);
  }
  if (!pipeline || !simulated()) return pipeline.has_value();
  const auto profile = load_profile(report_.device);
  if (!profile.ok()) {
    issues.issues.push_back({{}, profile.status().message(), profile.status().code(), false});
    return false;
  }
  report_.device = profile->name;
  report_.limits = limits_of(*profile);
  if (!report_.ambient_c) report_.ambient_c = profile->ambient_c;
  return true;
}

Status ThermalTest::resume(ThermalReport earlier) {
  const auto differs = [&](const char* what) {
    return invalid(
        fmt::format("--resume: the earlier test is of another {}; start a new one without --resume", what));
  };
  // A result of an older version has no hashes: the names are all that is known.
  const auto other = [](const std::string& a, const std::string& b) { return !a.empty() && a != b; };
  if (earlier.pipeline != report_.pipeline) return differs("pipeline");
  if (other(earlier.pipeline_sha256, report_.pipeline_sha256))
    return differs("pipeline (of the same name; its file says something else now)");
  if (other(earlier.models_sha256, report_.models_sha256))
    return differs("model (a file of its models contains something else now)");
  if (earlier.device != report_.device) return differs("device");
  if (other(earlier.profile_sha256, report_.profile_sha256))
    return differs("device (its profile says something else now)");
  if (std::abs(earlier.duration_s - report_.duration_s) > 1e-6) return differs("--duration");
  if (earlier.ambient_c != report_.ambient_c) return differs("--ambient");
  if (earlier.load != report_.load)
    return differs(fmt::format("load ('{}', now '{}')", earlier.load, report_.load).c_str());
  SLUICE_RETURN_IF_ERROR(check_windows(earlier));
  report_.runs = std::move(earlier.runs);
  resumed_ = true;
  if (simulated()) std::erase_if(report_.runs, [](const ThermalRun& r) { return !r.complete; });
  return {};
}

ThermalRun* ThermalTest::find(const std::string& policy, int repetition) {
  for (ThermalRun& run : report_.runs) {
    if (run.policy == policy && run.repetition == repetition) return &run;
  }
  return nullptr;
}

void ThermalTest::stop() {
  stopped_ = true;
  std::lock_guard lock(mutex_);
  if (running_) running_->stop();
}

std::vector<std::pair<std::string, int>> ThermalTest::missing() const {
  const std::vector<std::string> policies =
      options_.policies.empty() ? std::vector{file_policy_} : options_.policies;
  std::vector<std::pair<std::string, int>> out;
  for (int repetition = 1; repetition <= options_.repeat; ++repetition) {
    for (const std::string& policy : policies) {
      const bool done = std::ranges::any_of(report_.runs, [&](const ThermalRun& run) {
        return run.complete && run.policy == policy && run.repetition == repetition;
      });
      const std::pair run(policy, repetition);
      if (!done && std::ranges::find(out, run) == out.end()) out.push_back(run);
    }
  }
  return out;
}

Status ThermalTest::check_files() {
  if (simulated()) return {};  // its sinks write nothing
  return check_kept_files(kept_files_, static_cast<int>(missing().size()), resumed_);
}

Status ThermalTest::run() {
  for (const auto& [policy, repetition] : missing()) {
    if (stopped_) return {};
    ThermalRun* run = find(policy, repetition);
    if (!run) {
      report_.runs.push_back({policy, repetition});
      run = &report_.runs.back();
    }
    SLUICE_RETURN_IF_ERROR(run_one(*run));
    run->results = results_of(run->windows, options_.duration_s);
  }
  return {};
}

RunOptions ThermalTest::run_options(const ThermalRun& run, double from_s) const {
  RunOptions out;
  out.device = options_.device;
  out.timings = options_.timings;
  out.ambient_c = options_.ambient_c;
  out.duration_s = options_.duration_s - from_s;
  out.seed = static_cast<std::uint64_t>(run.repetition);
  if (simulated()) {
    out.idle_before_s = options_.cool_down_s;
    out.idle_after_s = options_.recovery_s;
  }
  return out;
}

Status ThermalTest::run_one(ThermalRun& run) {
  if (!simulated()) cool_down(run);
  if (stopped_) return {};
  LoadIssues issues;
  std::optional<Pipeline> pipeline = Pipeline::load(
      options_.file, builtin_registry(), load_options(options_.policies.empty() ? "" : run.policy), issues);
  if (!pipeline) return issues.status();
  std::erase_if(run.windows, [](const ThermalWindow& w) { return !w.load; });
  const bool loaded = !run.windows.empty() &&
                      run.windows.back().t_s + window_length_s(options_.duration_s) / 2 > options_.duration_s;
  if (!loaded) SLUICE_RETURN_IF_ERROR(load_phase(*pipeline, run));
  if (stopped_) return {};
  if (!simulated()) SLUICE_RETURN_IF_ERROR(recover(run));
  run.complete = !stopped_;
  return {};
}

Status ThermalTest::load_phase(Pipeline& pipeline, ThermalRun& run) {
  const double from_s = run.windows.empty() ? 0 : run.windows.back().t_s;
  const double length = window_length_s(options_.duration_s);
  std::optional<WindowRecorder> recorder;
  Status written;
  RunOptions options = run_options(run, from_s);
  WindowEnds ends(length, 0, *options.duration_s);
  bool load = true;  // else the recovery of a simulated run, which goes on with it
  const auto add_window = [&](RunSnapshot now) {
    ThermalWindow window = recorder->next(std::move(now), load);
    window.t_s += from_s;
    for (ThermalWindow::Infer& infer : window.infer) {
      if (infer.first) infer.first->at_s += from_s;
      for (DecisionReport& change : infer.changes) change.at_s += from_s;
    }
    run.windows.push_back(std::move(window));
    if (!simulated()) add_simulated_backends(pipeline.report(), run);
    run.results = results_of(run.windows, options_.duration_s);
    if (written.ok()) written = on_window_(report_, run);
    if (!written.ok()) pipeline.stop();
  };
  options.every_second = [&] {
    RunSnapshot now = pipeline.snapshot();
    if (now.readings) recorder->sample(*now.readings);
    const double t = to_s(now.at);
    const bool load_ends = load && now.over;
    if (load_ends || ends.look(t)) add_window(std::move(now));
    if (!load_ends) return;
    load = false;
    ends = WindowEnds(length, std::min(t, *options.duration_s), std::numeric_limits<double>::infinity());
  };
  SLUICE_RETURN_IF_ERROR(pipeline.start(options));
  recorder.emplace(pipeline.snapshot());
  {
    std::lock_guard lock(mutex_);
    running_ = &pipeline;
  }
  if (stopped_) pipeline.stop();
  Status status = pipeline.wait();
  {
    std::lock_guard lock(mutex_);
    running_ = nullptr;
  }
  const RunReport report = pipeline.report();
  if (!report_.readings.empty())
    run.notices.push_back(
        fmt::format("temperatures, clocks and power are simulated, of profile {}: nothing of this "
                    "machine's heat was measured",
                    report_.readings));
  run.notices.insert(run.notices.end(), report.warnings.begin(), report.warnings.end());
  if (simulated()) note_idling(report, run);
  if (report.device)
    run.notices.insert(run.notices.end(), report.device->notices.begin(), report.device->notices.end());
  for (const InferenceReport& i : report.inference) {
    for (const std::string& backend : simulated() ? std::vector<std::string>{} : i.simulated_backends)
      run.notices.push_back(fmt::format("node '{}': backend '{}' is simulated", i.node, backend));
  }
  if (RunSnapshot rest = pipeline.snapshot(); ends.rest_counts(to_s(rest.at))) add_window(std::move(rest));
  return status.ok() ? written : status;
}

// Of this machine; null when it has none, or when the file's readings are not this machine's.
std::unique_ptr<Telemetry> ThermalTest::idle_telemetry() const {
  if (options_.telemetry) return options_.telemetry();
  const std::string source = Options(device_).text("telemetry");
  if (source != "auto" && source != "sysfs") return nullptr;
  auto sensors = make_telemetry(device_, {});
  return sensors.ok() ? std::move(*sensors) : nullptr;  // why it failed is the run's to say
}

// A simulated device idled before the run began.
void ThermalTest::note_idling(const RunReport& report, ThermalRun& run) {
  const auto idle = report.device ? report.device->idled_before : std::nullopt;
  run.cool_down_s = idle ? idle->seconds : 0;
  run.cool_down = !idle ? kNoCoolDown : idle->steady ? kSteady : kNotSteady;
}

// Until the hottest sensor has moved by no more than kSteadyKelvinPerMinute over kSteadyOverS.
void ThermalTest::cool_down(ThermalRun& run) {
  if (options_.cool_down_s <= 0) {
    run.cool_down = kNoCoolDown;
    return;
  }
  const std::unique_ptr<Telemetry> telemetry = idle_telemetry();
  if (!telemetry || !telemetry->sample(clock_.now()).hottest_c()) {
    run.cool_down = "none: no temperature is known here";
    return;
  }
  std::deque<double> last;
  const TimeNs start = clock_.now();
  while (to_s(clock_.now() - start) < options_.cool_down_s) {
    const Readings now = telemetry->sample(clock_.now());
    if (const auto hottest = now.hottest_c()) last.push_back(*hottest);
    if (last.size() > static_cast<std::size_t>(kSteadyOverS)) last.pop_front();
    run.cool_down_s = to_s(clock_.now() - start);
    if (last.size() == static_cast<std::size_t>(kSteadyOverS)) {
      const auto [low, high] = std::minmax_element(last.begin(), last.end());
      run.cool_down = kSteady;
      if (*high - *low <= kSteadyKelvinPerMinute * 2) return;
    }
    if (!wait_until(clock_, clock_.now() + from_s(1), stopped_)) {
      run.cool_down = "interrupted";
      return;
    }
  }
  run.cool_down = kNotSteady;
}

// Temperatures and power while nothing runs.
Status ThermalTest::recover(ThermalRun& run) {
  if (options_.recovery_s <= 0) return {};
  const std::unique_ptr<Telemetry> telemetry = idle_telemetry();
  const TimeNs start = clock_.now();
  if (!telemetry || !telemetry->sample(start).hottest_c()) return {};
  const double begin_s = run.windows.empty() ? 0 : run.windows.back().t_s;
  const double length = window_length_s(options_.duration_s);
  WindowRecorder recorder({});
  for (double t = length; t <= options_.recovery_s + 1e-6; t += length) {
    const TimeNs end = start + from_s(t);
    while (clock_.now() < end) {
      recorder.sample(telemetry->sample(clock_.now()));
      if (!wait_until(clock_, std::min(clock_.now() + from_s(1), end), stopped_)) return {};
    }
    RunSnapshot now;
    now.at = clock_.now() - start;
    now.readings = telemetry->sample(clock_.now());
    ThermalWindow window = recorder.next(std::move(now), false);
    window.t_s += begin_s;
    run.windows.push_back(std::move(window));
    SLUICE_RETURN_IF_ERROR(on_window_(report_, run));
  }
  return {};
}

}  // namespace sluice
