#include "runtime/trace.h"

namespace sluice {
namespace {

constexpr TimeNs kPeriod = from_ms(50);           // between two looks into the ring
constexpr std::size_t kWriteBytes = 64 * 1024;    // at once
constexpr std::size_t kBytesForEnd = 256 * 1024;  // kept for marks and the closing bracket

}  // namespace

Trace::Trace(const Plan& plan, Clock& clock, std::size_t max_bytes)
    : clock_(clock), max_bytes_(max_bytes), json_(plan) {}

Trace::~Trace() {
  over_ = true;
  clock_.interrupt();
  if (thread_.joinable()) thread_.join();
}

Status Trace::start(const std::string& path, const Pools* pools) {
  auto file = FileReplacement::open(path);
  if (!file.ok()) return file.status().with_context("--trace: ");
  file_.emplace(std::move(file).value());
  pools_ = pools;
  json_.begin();
  thread_ = std::thread([this] { work(); });
  return {};
}

void Trace::on_event(const FlowEvent& event) {
  FlowEvent stamped = event;
  if (stamped.end == kNever) stamped.end = clock_.now();
  if (!ring_.push(stamped)) lost_.fetch_add(1, std::memory_order_relaxed);
}

TraceReport Trace::figures() const {
  return {written_.load(std::memory_order_relaxed), lost_.load(std::memory_order_relaxed)};
}

void Trace::work() {
  while (!over_) {
    drain();
    sample_pools();
    flush();
    clock_.sleep_until(clock_.now() + kPeriod, [this] { return over_.load(); });
  }
}

void Trace::drain() {
  FlowEvent event;
  while (ring_.pop(event)) {
    const bool full = bytes_ + json_.text().size() + kBytesForEnd > max_bytes_;
    if (full || !failure_.ok()) {
      lost_.fetch_add(1, std::memory_order_relaxed);
      continue;
    }
    json_.add(event);
    written_.fetch_add(1, std::memory_order_relaxed);
    if (json_.text().size() >= kWriteBytes) flush();
  }
  const std::uint64_t lost = lost_.load(std::memory_order_relaxed);
  if (lost != lost_told_) json_.add_lost(clock_.now(), lost - lost_told_);
  lost_told_ = lost;
}

void Trace::sample_pools() {
  if (!pools_) return;
  const TimeNs now = clock_.now();
  pools_->for_each_level([&](std::size_t node, std::size_t output, std::size_t packets, std::size_t buffers) {
    json_.add_level(now, node, output, packets, buffers);
  });
}

void Trace::flush() {
  if (failure_.ok()) failure_ = file_->write(json_.text());
  bytes_ += json_.text().size();
  json_.clear();
}

Status Trace::finish(const RunReport& report, TimeNs start) {
  if (!thread_.joinable()) return {};
  over_ = true;
  clock_.interrupt();
  thread_.join();
  drain();
  json_.end(start, report, lost_.load(std::memory_order_relaxed));
  flush();
  const Status status = failure_.ok() ? file_->commit() : failure_;
  return status.with_context("--trace: ");
}

}  // namespace sluice
