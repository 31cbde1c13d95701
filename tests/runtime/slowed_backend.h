// A fault injector: backends as they are, any of which can be slowed while a run goes on.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "backends/backends.h"
#include "inference/performance_modes.h"

namespace sluice::testing {

// By backend: each of its runs ends so much later, in milliseconds. Outlives the run.
class SlowDown {
 public:
  std::atomic<int>& operator[](const std::string& backend) { return more_ms_.at(backend); }

 private:
  std::map<std::string, std::atomic<int>> more_ms_ = [] {
    std::map<std::string, std::atomic<int>> out;
    for (const char* name : {"htp", "gpu", "cpu", "fake"}) out[name] = 0;
    return out;
  }();
};

class SlowedSession final : public Session, public PerformanceModes {
 public:
  SlowedSession(std::unique_ptr<Session> real, const std::atomic<int>& more_ms)
      : real_(std::move(real)), more_ms_(more_ms) {}
  const ModelSignature& signature() const override { return real_->signature(); }
  std::string_view backend() const override { return real_->backend(); }
  bool simulated() const override { return real_->simulated(); }
  std::string_view performance_mode() const override { return real_->performance_mode(); }
  RunKind kind() const override { return real_->kind(); }
  Accelerator accelerator() const override { return real_->accelerator(); }
  int slots() const override { return real_->slots(); }
  bool static_batch() const override { return real_->static_batch(); }
  Placement placement() const override { return real_->placement(); }
  Status run(int slot, std::span<const Tensor* const> inputs, std::span<Tensor* const> outputs) override {
    const Status status = real_->run(slot, inputs, outputs);
    if (const int more = more_ms_; more > 0) std::this_thread::sleep_for(std::chrono::milliseconds(more));
    return status;
  }
  void cancel(int slot) override { real_->cancel(slot); }
  Status set_performance_mode(const std::string& mode) override {
    auto* modes = dynamic_cast<PerformanceModes*>(real_.get());
    return modes ? modes->set_performance_mode(mode) : unavailable("no modes");
  }

 private:
  const std::unique_ptr<Session> real_;
  const std::atomic<int>& more_ms_;
};

class SlowedBackend final : public Backend {
 public:
  SlowedBackend(std::unique_ptr<Backend> real, const std::atomic<int>& more_ms)
      : real_(std::move(real)), more_ms_(more_ms) {}
  std::string_view name() const override { return real_->name(); }
  Status available() override { return real_->available(); }
  bool simulated() const override { return real_->simulated(); }
  std::string version() override { return real_->version(); }
  const std::vector<OptionDeclaration>& options() const override { return real_->options(); }
  Result<std::unique_ptr<Session>> open(const SessionRequest& request) override {
    SLUICE_ASSIGN(std::unique_ptr<Session> session, real_->open(request));
    return std::unique_ptr<Session>(std::make_unique<SlowedSession>(std::move(session), more_ms_));
  }

 private:
  const std::unique_ptr<Backend> real_;
  const std::atomic<int>& more_ms_;
};

inline std::vector<std::unique_ptr<Backend>> slowed_backends(Clock& clock, SlowDown& slow) {
  std::vector<std::unique_ptr<Backend>> out;
  for (std::unique_ptr<Backend>& backend : make_backends(clock)) {
    const std::string name(backend->name());
    out.push_back(std::make_unique<SlowedBackend>(std::move(backend), slow[name]));
  }
  return out;
}

}  // namespace sluice::testing
