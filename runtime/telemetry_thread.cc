#include "runtime/telemetry_thread.h"

#include <algorithm>

#include "framework/core/log.h"
#include "inference/telemetry/headroom.h"
#include "inference/telemetry/sysfs_telemetry.h"
#include "runtime/device_check.h"
#include "runtime/recorded_telemetry.h"
#include "runtime/selection_record.h"
#include "simulation/profile_reader.h"

namespace sluice {
namespace {

constexpr TimeNs kPeriod = 1'000'000'000;
constexpr std::size_t kMostNotices =
    100;  // of a report; a sensor that comes and goes says no more after that

Result<std::unique_ptr<Telemetry>> trace_of(const Options& options) {
  auto trace = read_trace(recording_file(options.text("trace")), false);
  if (!trace.ok()) return trace.status().with_context("device: trace: ");
  if (trace->samples.empty()) return std::unique_ptr<Telemetry>();  // nothing was known then
  return std::unique_ptr<Telemetry>(std::make_unique<RecordedTelemetry>(std::move(*trace)));
}

}  // namespace

Result<std::unique_ptr<Telemetry>> make_telemetry(const OptionMap& device, SimulatedTelemetry::Load load) {
  SLUICE_RETURN_IF_ERROR(check_telemetry(device));
  const Options options(device);
  const std::string& source = options.text("telemetry");
  if (source == "none") return std::unique_ptr<Telemetry>();
  if (source == "auto" || source == "sysfs") {
    std::unique_ptr<Telemetry> sysfs = std::make_unique<SysfsTelemetry>();
    if (sysfs->sensors().empty()) sysfs.reset();
    if (auto headroom = android_headroom())
      return std::unique_ptr<Telemetry>(
          std::make_unique<HeadroomTelemetry>(std::move(sysfs), std::move(headroom)));
    if (sysfs) return sysfs;
    if (source == "auto") return std::unique_ptr<Telemetry>();
    return unavailable("device: telemetry is 'sysfs', and this machine has no sensor that can be read");
  }
  if (source == "trace") return trace_of(options);
  SLUICE_ASSIGN(DeviceProfile profile, load_profile(options.text("profile")));
  return std::unique_ptr<Telemetry>(
      std::make_unique<SimulatedTelemetry>(std::move(profile), std::move(load)));
}

TelemetryThread::TelemetryThread(std::unique_ptr<Telemetry> telemetry, Clock& clock)
    : telemetry_(std::move(telemetry)), clock_(clock), due_(clock.now() + kPeriod) {
  sample();
  thread_ = std::thread([this] { work(); });
}

TelemetryThread::~TelemetryThread() { stop(); }

void TelemetryThread::stop() {
  if (stopping_.exchange(true)) return;
  clock_.interrupt();
  thread_.join();
}

void TelemetryThread::work() {
  while (clock_.sleep_until(due_, [this] { return stopping_.load(); })) {
    sample();
    // After a suspension it goes on from now, and does not make up for what was missed.
    due_ = std::max(due_ + kPeriod, clock_.now());
  }
}

void TelemetryThread::sample() {
  const Readings readings = telemetry_->sample(clock_.now());
  std::vector<std::string> notices = telemetry_->take_notices();
  for (const std::string& notice : notices) log_message(LogLevel::kWarning, notice);
  std::lock_guard lock(mutex_);
  latest_ = readings;
  summary_.add(readings);
  for (std::string& notice : notices) {
    if (notices_.size() < kMostNotices) notices_.push_back(std::move(notice));
  }
}

Readings TelemetryThread::latest() const {
  std::lock_guard lock(mutex_);
  return latest_;
}

DeviceReport TelemetryThread::report() const {
  std::lock_guard lock(mutex_);
  DeviceReport out = summary_.report(std::string(telemetry_->source()));
  out.notices = notices_;
  return out;
}

}  // namespace sluice
