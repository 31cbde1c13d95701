#include "runtime/pipeline.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "framework/core/guarded.h"
#include "framework/spec/spec.h"
#include "inference/checked_model.h"
#include "runtime/builtin.h"
#include "runtime/chosen_device.h"
#include "runtime/device_check.h"
#include "runtime/engine.h"
#include "runtime/precision_check.h"
#include "runtime/simulated_engine.h"
#include "runtime/snapshot.h"

namespace sluice {
namespace {

ParsedSpec parse(std::string_view source) {
  if (source.find('\n') != std::string_view::npos) return parse_spec_text(source);
  return parse_spec_file(std::string(source));
}

Result<ModelSignature> signature_of(const ModelPlan& model, std::string_view variant) {
  ModelRequest request{model.name, std::string(variant), model.path, model.sha256, model.dims};
  for (const ModelPlan::Variant& v : model.variants) {
    if (v.name != variant) continue;
    request.path = v.path;
    request.sha256 = v.sha256;
  }
  return read_signature(request);
}

// What the section `device` lacks is an error of the file, not of the run. A plan is no plan then.
void check_device(const GraphSpec& spec, PlanResult& result) {
  const Status status = check_telemetry(result.plan->device);
  if (status.ok()) return;
  const Value* const profile = spec.device.find("profile");
  const Value* const place = profile ? profile : spec.device.find("telemetry");
  result.issues.push_back({place ? place->mark : Mark{}, status.message(), status.code()});
  result.plan.reset();
}

PlanResult plan_for(const GraphSpec& spec, const Registry& registry, const LoadOptions& options) {
  PlanInputs inputs;
  inputs.registry = &registry;
  inputs.read_signature = signature_of;
  inputs.ask_source = source_traits;
  inputs.set = options.set;
  inputs.pace = options.pace;
  PlanResult out = make_plan(spec, inputs);
  if (!out.plan) return out;
  Issues wrong = check_precision(spec, *out.plan);
  check_device(spec, out);
  if (wrong.empty()) return out;
  out.issues.insert(out.issues.end(), wrong.begin(), wrong.end());
  out.plan.reset();
  return out;
}

constexpr double kLongestWait = 1e9;  // seconds: far from where a time in nanoseconds overflows

// On a real device `duration_s` and `every_second` are the start's own; all else is built in as a pipeline
// opens.
Status check_same(const RunOptions& opened, const RunOptions& now, bool simulated) {
  const std::pair<const char*, bool> same[] = {
      {"frames", opened.frames == now.frames},
      {"duration_s", !simulated || opened.duration_s == now.duration_s},
      {"every_second", !simulated || !opened.every_second == !now.every_second},
      {"trace", opened.trace == now.trace},
      {"workers", opened.workers == now.workers},
      {"device", opened.device == now.device},
      {"timings", opened.timings == now.timings},
      {"ambient_c", opened.ambient_c == now.ambient_c},
      {"seed", opened.seed == now.seed},
      {"idle_before_s", opened.idle_before_s == now.idle_before_s},
      {"idle_after_s", opened.idle_after_s == now.idle_after_s},
      {"record", !opened.record == !now.record},
      {"ranges", opened.ranges == now.ranges}};
  for (const auto& [name, is_same] : same) {
    if (is_same) continue;
    return invalid(
        fmt::format("RunOptions::{} is another than the pipeline was opened with; probe() and "
                    "start() take the same options",
                    name));
  }
  return {};
}

bool before_in_line(Mark a, Mark b) { return a.line == b.line && a.column < b.column; }

// Where the nodes and models begin: what is missing in one of them as a whole is said there.
std::vector<Mark> whole_places(const GraphSpec& spec) {
  std::vector<Mark> out;
  out.reserve(spec.nodes.size() + spec.models.size());
  for (const NodeSpec& node : spec.nodes) out.push_back(node.mark);
  for (const ModelSpec& model : spec.models) out.push_back(model.path_mark);
  return out;
}

// Whether `said`, an error of the file's form, may be why the plan has `issue`: it is of the same value, or
// of the node or model (written on one line) that lacks something as a whole.
bool may_follow_from(const Issue& issue, const Issue& said, const std::vector<Mark>& wholes) {
  const auto is_at = [](Mark place) {
    return [place](Mark mark) { return mark.line == place.line && mark.column == place.column; };
  };
  if (is_at(said.mark)(issue.mark)) return true;
  if (std::none_of(wholes.begin(), wholes.end(), is_at(issue.mark))) return false;
  const auto between = [&](Mark mark) {
    return before_in_line(issue.mark, mark) && !before_in_line(said.mark, mark);
  };
  return before_in_line(issue.mark, said.mark) && std::none_of(wholes.begin(), wholes.end(), between);
}

// A file that is already wrong is planned all the same, so that all its errors come at once; what the plan
// says of a place that has an error already is a consequence.
void add_plan_issues(const GraphSpec& spec, const Registry& registry, const LoadOptions& options,
                     LoadIssues& issues) {
  const std::size_t before = issues.issues.size();
  const std::vector<Mark> wholes = whole_places(spec);
  for (Issue& issue : plan_for(spec, registry, options).issues) {
    const auto end = issues.issues.begin() + static_cast<std::ptrdiff_t>(before);
    // A model without a place has no path that could be read: its error is said already.
    if (issue.mark.line == 0 && issue.code == Code::kUnavailable) continue;
    const auto why = [&](const Issue& said) { return may_follow_from(issue, said, wholes); };
    if (std::none_of(issues.issues.begin(), end, why)) issues.issues.push_back(std::move(issue));
  }
  std::stable_sort(issues.issues.begin(), issues.issues.end(), [](const Issue& a, const Issue& b) {
    return std::pair(a.mark.line, a.mark.column) < std::pair(b.mark.line, b.mark.column);
  });
}

}  // namespace

bool LoadIssues::failed() const { return !status().ok(); }

Status LoadIssues::status() const {
  std::string message;
  Code code = Code::kOk;
  for (const Issue& issue : issues) {
    if (issue.warning) continue;
    // An invalid file is invalid whatever its models are.
    if (code != Code::kInvalid) code = issue.code;
    message += (message.empty() ? "" : "\n") + format(file, issue);
  }
  return code == Code::kOk ? Status{} : Status(code, message);
}

class Pipeline::Impl {
 public:
  Impl(std::shared_ptr<const Registry> registry, std::shared_ptr<const Plan> plan)
      : registry_(std::move(registry)), plan_(std::move(plan)), engine_(plan_) {}

  const std::shared_ptr<const Registry> registry_;  // the plan's declarations live in it
  // Makes the simulated engine when the options ask for one.
  Status simulate(const RunOptions& options) {
    if (simulated()) return opening_.stopped() ? OpeningStop::why() : Status{};
    SLUICE_ASSIGN(const ChosenDevice device, choose_device(options.device, plan_->device));
    if (!device.name.starts_with("sim:")) {
      if (!options.timings.empty() || options.ambient_c)
        return invalid("timings and ambient_c are for simulated devices; the device is '" + device.name +
                       "'");
      return {};
    }
    auto made = SimulatedEngine::create(plan_, options, device, opening_);
    std::lock_guard lock(simulated_mutex_);
    if (opening_.stopped()) return OpeningStop::why();
    SLUICE_ASSIGN(simulated_, std::move(made));
    return {};
  }
  // Null: it is the real engine that runs. Once made it stays. Any thread.
  SimulatedEngine* simulated() const {
    std::lock_guard lock(simulated_mutex_);
    return simulated_.get();
  }
  // Any thread. A simulated engine that is being made sees `opening_`.
  void stop() {
    opening_.stop();
    SimulatedEngine* const simulated = this->simulated();
    simulated ? simulated->stop() : engine_.stop(true);
  }

  // What the first call opened with is what runs: a later one must ask for the same. Nodes open once, so a
  // failure is final.
  Status open(const RunOptions& options, const std::function<Status()>& step) {
    if (open_failed_)
      return invalid("the pipeline could not be opened before, and nodes open once; load it again");
    if (opened_with_ && !started_)
      SLUICE_RETURN_IF_ERROR(check_same(*opened_with_, options, simulated() != nullptr));
    if (!opened_with_) opened_with_ = options;
    const Status status = guarded([&]() -> Status {
      SLUICE_RETURN_IF_ERROR(simulate(options));
      return simulated() ? Status{} : step();
    });
    if (!started_) open_failed_ = !status.ok();
    return status;
  }

  // Of the real engine, with a call every second.
  bool wait_for(double seconds) {
    seconds = seconds > 0 ? std::min(seconds, kLongestWait) : 0;  // a NaN waits for nothing
    if (!every_second_) return engine_.wait_for(seconds);
    const double end = engine_.elapsed_s() + seconds;
    for (double now = engine_.elapsed_s(); now < end; now = engine_.elapsed_s()) {
      if (engine_.wait_for(std::max(0.0, std::min(end, next_second_) - now))) return true;
      if (engine_.elapsed_s() < next_second_) continue;
      every_second_();
      next_second_ = std::max(next_second_ + 1, engine_.elapsed_s());
    }
    return engine_.wait_for(0);
  }

  const std::shared_ptr<const Plan> plan_;
  Engine engine_;
  OpeningStop opening_;  // of the simulated engine
  mutable std::mutex simulated_mutex_;
  std::unique_ptr<SimulatedEngine> simulated_;  // instead of engine_
  bool simulation_over_ = false;
  std::optional<RunOptions> opened_with_;
  bool open_failed_ = false;
  bool started_ = false;
  std::function<void()> every_second_;
  double next_second_ = 1;  // of the run's clock
};

namespace {

// What f() throws becomes an issue of the whole file.
template <typename F>
std::optional<Pipeline> or_issue(LoadIssues& issues, F&& f) {
  try {
    return f();
  } catch (...) {
    const Status status = status_of_exception();
    issues.issues.push_back({{}, status.message(), status.code(), false});
    return std::nullopt;
  }
}

// What threads that hang still use: reachable, so that it is no leak.
template <typename T>
void keep_for_ever(T* abandoned) {
  static auto* const kAll = new std::vector<T*>();
  static auto* const kMutex = new std::mutex();
  std::lock_guard lock(*kMutex);
  kAll->push_back(abandoned);
}

}  // namespace

void Pipeline::Destroy::operator()(Impl* impl) const {
  if (impl->engine_.abandoned()) {
    keep_for_ever(impl);
  } else {
    delete impl;
  }
}

Pipeline::Pipeline(std::unique_ptr<Impl, Destroy> impl) : impl_(std::move(impl)) {}
Pipeline::Pipeline(Pipeline&&) noexcept = default;
Pipeline& Pipeline::operator=(Pipeline&&) noexcept = default;
Pipeline::~Pipeline() = default;

Result<Pipeline> Pipeline::load(std::string_view source, const Registry& registry,
                                const LoadOptions& options) {
  LoadIssues issues;
  auto pipeline = load(source, registry, options, issues);
  if (!pipeline) return issues.status();
  return std::move(*pipeline);
}

std::optional<Pipeline> Pipeline::load(std::string_view source, const Registry& registry,
                                       const LoadOptions& options, LoadIssues& issues) {
  return or_issue(issues, [&] { return load_text(source, registry, options, issues); });
}

std::optional<Pipeline> Pipeline::load_text(std::string_view source, const Registry& registry,
                                            const LoadOptions& options, LoadIssues& issues) {
  ParsedSpec parsed = parse(source);
  issues.file = parsed.spec.file;
  issues.issues = parsed.issues;
  if (parsed.ok()) return load_spec(parsed.spec, registry, options, issues);
  if (!parsed.spec.nodes.empty()) add_plan_issues(parsed.spec, registry, options, issues);
  return std::nullopt;
}

std::optional<Pipeline> Pipeline::load(const GraphSpec& spec, const Registry& registry,
                                       const LoadOptions& options, LoadIssues& issues) {
  return or_issue(issues, [&] { return load_spec(spec, registry, options, issues); });
}

std::optional<Pipeline> Pipeline::load_spec(const GraphSpec& spec, const Registry& registry,
                                            const LoadOptions& options, LoadIssues& issues) {
  issues.file = spec.file;
  auto types = std::make_shared<const Registry>(registry);
  PlanResult result = plan_for(spec, *types, options);
  issues.issues.insert(issues.issues.end(), result.issues.begin(), result.issues.end());
  if (!result.plan) return std::nullopt;
  std::unique_ptr<Impl, Destroy> impl(new Impl(std::move(types), std::move(result.plan)));
  Mark place;
  if (Status status = impl->engine_.create_nodes(&place); !status.ok()) {
    const bool unavailable = status.code() == Code::kUnavailable;
    issues.issues.push_back(
        {place, status.message(), unavailable ? Code::kUnavailable : Code::kInvalid, false});
    return std::nullopt;
  }
  return Pipeline(std::move(impl));
}

const Plan& Pipeline::plan() const { return *impl_->plan_; }
Status Pipeline::probe(const RunOptions& options) {
  return impl_->open(options, [&] { return impl_->engine_.probe(options); });
}
Status Pipeline::start(const RunOptions& options) {
  const Status status = impl_->open(options, [&] {
    if (!impl_->started_) impl_->every_second_ = options.every_second;
    return impl_->engine_.start(options);
  });
  impl_->started_ = impl_->started_ || status.ok();
  // Options that it refuses leave the pipeline as it is.
  return impl_->open_failed_ ? impl_->engine_.fail_start(status) : status;
}
void Pipeline::stop() { impl_->stop(); }
bool Pipeline::abandoned() const { return impl_->engine_.abandoned(); }
// A simulated run takes its own time: all of it passes in here.
bool Pipeline::wait_for(double seconds) {
  SimulatedEngine* const simulated = impl_->simulated();
  if (!simulated) return impl_->wait_for(seconds);
  if (std::exchange(impl_->simulation_over_, true)) return true;
  [[maybe_unused]] const Status said_by_wait = simulated->run();
  return true;
}
RunReport Pipeline::report() const {
  const SimulatedEngine* const simulated = impl_->simulated();
  return simulated ? simulated->report() : impl_->engine_.report();
}

Status Pipeline::wait() {
  if (const SimulatedEngine* const simulated = impl_->simulated()) {
    wait_for(0);
    return simulated->outcome();
  }
  while (!impl_->wait_for(3600)) {
  }
  return impl_->engine_.finish();
}

RunSnapshot Pipeline::snapshot() const {
  const SimulatedEngine* const simulated = impl_->simulated();
  return simulated ? simulated->snapshot() : impl_->engine_.snapshot();
}

Status Pipeline::set(std::string_view node, std::string_view option, std::string_view value) {
  return impl_->engine_.set(node, option, value);
}

Status Pipeline::replace_model(std::string_view name, const std::string& path) {
  return impl_->engine_.replace_model(name, path);
}
Status Pipeline::use_variant(std::string_view model, std::string_view variant) {
  return impl_->engine_.use_variant(model, variant);
}

AppSourceHandle Pipeline::app_source(std::string_view id) {
  return {id, dynamic_cast<AppSource*>(impl_->engine_.node(id))};
}
AppSinkHandle Pipeline::app_sink(std::string_view id) {
  return {id, dynamic_cast<AppSink*>(impl_->engine_.node(id))};
}

}  // namespace sluice
