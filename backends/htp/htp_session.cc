#include "backends/htp/htp_session.h"

#include <chrono>
#include <utility>

#include "framework/core/log.h"

namespace sluice::htp {
namespace {

// How long a frame waits for the new session: a load from the cache takes tens of milliseconds. Real time,
// and no clock is asked once a run has begun: a run that is given up may outlive the clock.
constexpr std::chrono::seconds kRetryWait{1};
constexpr const char* kModeKey = "ep.dynamic.qnn_htp_performance_mode";

}  // namespace

bool Health::add_reset(TimeNs now) {
  std::lock_guard lock(mutex_);
  if (resets_.size() == kMost) resets_.erase(resets_.begin());
  resets_.push_back(now);
  failed_ = failed_ || (resets_.size() == kMost && now - resets_.front() <= kWithin);
  return failed_;
}

bool Health::failed() const {
  std::lock_guard lock(mutex_);
  return failed_;
}

Status Health::failure() {
  return unavailable("backend 'htp' has failed: the NPU was reset " + std::to_string(kMost) +
                     " times within a minute");
}

bool is_device_reset(const Status& status) {
  if (status.ok()) return false;
  const std::string& text = status.message();
  for (const char* sign : {"Code: 1007", "Code: 1011", "NPU crashed"})
    if (text.find(sign) != std::string::npos) return true;
  return text.starts_with(ort::OrtSession::kDeviceReset);
}

HtpSession::HtpSession(std::unique_ptr<ort::OrtSession> session, Setup setup)
    : setup_(std::move(setup)),
      signature_(session->signature()),
      slots_(session->slots()),
      session_(std::move(session)),
      votes_(*setup_.clock, setup_.performance_mode, setup_.idle_release, [this](const std::string& mode) {
        const Inner inner = current();
        return inner ? inner->set_dynamic_option(kModeKey, mode.c_str()) : Status{};
      }) {}

HtpSession::~HtpSession() {
  std::thread last;
  {
    std::lock_guard lock(mutex_);
    last = std::move(repair_);
  }
  if (last.joinable()) last.join();
}

Status HtpSession::set_performance_mode(const std::string& mode) {
  votes_.set_mode(mode);
  return {};
}

HtpSession::Inner HtpSession::current() const {
  std::lock_guard lock(mutex_);
  return session_;
}

Status HtpSession::run_on(const Inner& inner, int slot, std::span<const Tensor* const> inputs,
                          std::span<Tensor* const> outputs) {
  votes_.begin_run();
  Status status = inner->run(slot, inputs, outputs);
  votes_.end_run();
  return status;
}

Status HtpSession::run(int slot, std::span<const Tensor* const> inputs, std::span<Tensor* const> outputs) {
  const TimeNs now = setup_.clock->now();
  const Inner inner = current();
  if (!inner) {
    if (setup_.health->failed()) return Health::failure();
    start_repair(now);
    return failed("the NPU was reset and its session is being made anew");
  }
  Status status = run_on(inner, slot, inputs, outputs);
  if (!is_device_reset(status)) return status;
  if (Status given_up = note_reset(inner, now); !given_up.ok()) return given_up;
  const Inner fresh = wait_for_repair();
  if (!fresh) return status;
  status = run_on(fresh, slot, inputs, outputs);
  if (!is_device_reset(status)) return status;
  if (Status given_up = note_reset(fresh, now); !given_up.ok()) return given_up;
  return status;
}

// The first run that lost this session starts the repair.
Status HtpSession::note_reset(const Inner& lost, TimeNs now) {
  {
    std::lock_guard lock(mutex_);
    if (session_ != lost) return setup_.health->failed() ? Health::failure() : Status{};
    session_.reset();
  }
  votes_.forget();
  if (setup_.health->add_reset(now)) return Health::failure();
  log_message(LogLevel::kWarning, "backend 'htp': the NPU was reset; its session is made anew");
  start_repair(now);
  return {};
}

void HtpSession::start_repair(TimeNs now) {
  std::lock_guard lock(mutex_);
  if (session_ || repairing_) return;
  if (repair_.joinable()) repair_.join();  // it has said that it is done
  repairing_ = true;
  repair_ = std::thread([this, now] { repair(now); });
}

void HtpSession::repair(TimeNs now) {
  auto reopened = setup_.reopen();
  if (!reopened.ok()) {
    log_message(LogLevel::kWarning, "backend 'htp': no new session: " + reopened.status().message());
    setup_.health->add_reset(now);
  }
  {
    std::lock_guard lock(mutex_);
    if (reopened.ok()) session_ = std::move(*reopened);
    repairing_ = false;
  }
  repaired_.notify_all();
}

HtpSession::Inner HtpSession::wait_for_repair() {
  std::unique_lock lock(mutex_);
  repaired_.wait_for(lock, kRetryWait, [this] { return !repairing_; });
  return session_;
}

void HtpSession::cancel(int /*slot*/) { votes_.leave_clock(); }

}  // namespace sluice::htp
