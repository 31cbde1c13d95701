#include "tools/sluice/profile_run.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <memory>
#include <mutex>
#include <numeric>
#include <thread>

#include "framework/core/clock.h"
#include "inference/backend_options.h"
#include "runtime/process_stats.h"
#include "tools/sluice/model_side.h"

namespace sluice::cli {
namespace {

constexpr int kWarmUpRuns = 5;
constexpr double kWarmUpSeconds = 2;       // a simulator is slow: one run has to do then
constexpr int kStreamsOfAccelerators = 2;  // one computes while the other's data move

double ms_between(TimeNs from, TimeNs to) { return static_cast<double>(to - from) * 1e-6; }

// One model, and how far it is in the samples.
class Stream {
 public:
  Stream(std::unique_ptr<ModelSide> side, const std::vector<KeptSample>& samples)
      : side_(std::move(side)), samples_(samples) {}

  // Only the session's own run is timed.
  Result<double> run(const Clock& clock) {
    SLUICE_RETURN_IF_ERROR(side_->set(samples_[next_++ % samples_.size()].sample));
    const TimeNs start = clock.now();
    SLUICE_RETURN_IF_ERROR(side_->run_once());
    return ms_between(start, clock.now());
  }
  const Session& session() const { return side_->session(); }

 private:
  std::unique_ptr<ModelSide> side_;
  const std::vector<KeptSample>& samples_;
  std::size_t next_ = 0;
};

Status warm_up(Stream& stream, const Clock& clock, RunFigures& out) {
  const TimeNs start = clock.now();
  for (int i = 0; i < kWarmUpRuns && ms_between(start, clock.now()) < kWarmUpSeconds * 1000; ++i) {
    SLUICE_ASSIGN(const double ms, stream.run(clock));
    if (i == 0 && out.first_run_ms == 0) out.first_run_ms = ms;
  }
  return {};
}

int streams_for(const Session& session, bool offline) {
  if (!offline) return 1;
  if (session.kind() == RunKind::kWaits) return kStreamsOfAccelerators;
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// All streams at once until the time is over.
class TimedRuns {
 public:
  TimedRuns(const RunPlan& plan, const Clock& clock) : plan_(plan), clock_(clock), start_(clock.now()) {}

  Status run(std::vector<Stream>& streams, RunFigures& out) {
    std::vector<std::thread> threads;
    for (std::size_t i = 1; i < streams.size(); ++i) threads.emplace_back([&, i] { loop(streams[i]); });
    loop(streams[0]);
    for (std::thread& thread : threads) thread.join();
    out.seconds = ms_between(start_, clock_.now()) / 1000;
    out.ms = std::move(ms_);
    out.runs = static_cast<std::int64_t>(out.ms.size());
    std::sort(out.ms.begin(), out.ms.end());
    return status_;
  }

 private:
  void loop(Stream& stream) {
    while (goes_on()) {
      const auto ms = stream.run(clock_);
      const std::lock_guard lock(mutex_);
      if (!ms.ok() && status_.ok()) status_ = ms.status();
      if (!ms.ok()) over_ = true;
      if (ms.ok()) ms_.push_back(*ms);
    }
  }
  bool goes_on() {
    if (over_) return false;
    if (plan_.interrupted && plan_.interrupted()) {
      const std::lock_guard lock(mutex_);
      status_ = Status(Code::kCancelled, "interrupted");
      return false;
    }
    const std::int64_t started = started_.fetch_add(1);
    const bool late = ms_between(start_, clock_.now()) >= plan_.seconds * 1000;
    const bool enough = plan_.most_runs > 0 && started >= plan_.most_runs;
    return started == 0 || (!late && !enough);
  }

  const RunPlan& plan_;
  const Clock& clock_;
  const TimeNs start_;
  std::atomic<std::int64_t> started_{0};
  std::atomic<bool> over_{false};
  std::mutex mutex_;  // guards what follows
  std::vector<double> ms_;
  Status status_;
};

}  // namespace

KeptSample keep(const quantize::Sample& sample) {
  KeptSample out{{}, sample};
  for (quantize::SampleInput& input : out.sample) {
    out.memory.emplace_back(input.data, input.data + input.bytes);
    input.data = out.memory.back().data();
  }
  return out;
}

KeptSample made_up_sample(const ModelSignature& signature) {
  KeptSample out;
  std::uint32_t state = 1;
  for (const TensorType& type : signature.inputs) {
    const bool real = type.quant || type.dtype == DType::kFloat32;
    quantize::SampleInput input{type.name, real ? DType::kFloat32 : type.dtype, {}, nullptr, 0};
    std::size_t elements = 1;
    for (std::size_t i = 0; i < type.shape.rank(); ++i) {
      input.shape.push_back(type.shape[i]);
      elements *= static_cast<std::size_t>(type.shape[i]);
    }
    input.bytes = elements * size_of(input.dtype);
    out.memory.emplace_back(input.bytes);
    for (std::size_t i = 0; real && i < elements; ++i) {
      state = state * 1664525u + 1013904223u;
      const float value = static_cast<float>(state >> 8) / 8388608.0f - 1.0f;
      std::memcpy(out.memory.back().data() + i * sizeof value, &value, sizeof value);
    }
    input.data = out.memory.back().data();
    out.sample.push_back(std::move(input));
  }
  return out;
}

double RunFigures::quantile(double q) const {
  const double at = q * static_cast<double>(ms.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, ms.size() - 1);
  return ms[below] + (ms[above] - ms[below]) * (at - std::floor(at));
}

double RunFigures::mean() const {
  return std::accumulate(ms.begin(), ms.end(), 0.0) / static_cast<double>(ms.size());
}

Result<std::unique_ptr<ModelSide>> open_for_profile(Backend& backend, const std::string& model,
                                                    const RunPlan& plan) {
  return ModelSide::open(backend, model, plan.options, plan.dims, "allow");
}

Result<RunFigures> run_profile(Backend& backend, const std::string& model,
                               const std::vector<KeptSample>& samples, const RunPlan& plan) {
  const SteadyClock clock;
  RunFigures out;
  const ProcessStats before = read_process_stats();
  const TimeNs start = clock.now();
  SLUICE_ASSIGN(auto first, open_for_profile(backend, model, plan));
  out.open_ms = ms_between(start, clock.now());
  out.simulated = first->session().simulated();
  out.placement = first->session().placement();
  std::vector<KeptSample> made_up;
  if (samples.empty()) made_up.push_back(made_up_sample(first->session().signature()));
  const std::vector<KeptSample>& used = samples.empty() ? made_up : samples;
  out.streams = streams_for(first->session(), plan.offline);
  std::vector<Stream> streams;
  streams.emplace_back(std::move(first), used);
  SLUICE_RETURN_IF_ERROR(warm_up(streams[0], clock, out));
  for (int i = 1; i < out.streams; ++i) {
    SLUICE_ASSIGN(auto more, open_for_profile(backend, model, plan));
    streams.emplace_back(std::move(more), used);
    SLUICE_RETURN_IF_ERROR(warm_up(streams.back(), clock, out));
  }
  const ProcessStats warm = read_process_stats();
  SLUICE_RETURN_IF_ERROR(TimedRuns(plan, clock).run(streams, out));
  const ProcessStats after = read_process_stats();
  if (out.runs > 0) out.cpu_ms_per_run = (after.cpu_s - warm.cpu_s) * 1000 / static_cast<double>(out.runs);
  if (before.rss_mb && warm.rss_mb) out.session_mb = *warm.rss_mb - *before.rss_mb;
  out.peak_rss_mb = after.peak_rss_mb;
  return out;
}

}  // namespace sluice::cli
