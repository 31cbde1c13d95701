// What the tests of sessions and of batches stand on: requests for a small model on the fake backend.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <utility>

#include "inference/checked_model.h"
#include "inference/session_table.h"
#include "tests/inference/support.h"

namespace sluice::testing {

class Sessions : public ::testing::Test {
 protected:
  SessionRequest request(OptionMap options = {}, const Dims& dims = {1, 8}) {
    SessionRequest out;
    out.model = request_for(folder_.write("m.onnx", relu_model(dims).bytes()));
    out.backend = "fake";
    out.options = std::move(options);
    out.slots = 2;
    out.node = "a";
    return out;
  }
  ScratchFolder folder_;
};

// A session that tells when and where it died, and runs what the test says.
struct Probe {
  std::promise<std::thread::id> died;
  std::function<Status(int slot)> run = [](int) { return Status(); };
  std::atomic<int> cancelled{0};
  Accelerator accelerator;
};

class ProbeSession final : public Session {
 public:
  ProbeSession(ModelSignature signature, Probe& probe, RunKind kind, int slots, bool fixed_batch)
      : signature_(std::move(signature)),
        probe_(probe),
        kind_(kind),
        slots_(slots),
        static_batch_(fixed_batch) {}
  ~ProbeSession() override { probe_.died.set_value(std::this_thread::get_id()); }
  const ModelSignature& signature() const override { return signature_; }
  std::string_view backend() const override { return "probe"; }
  RunKind kind() const override { return kind_; }
  Accelerator accelerator() const override { return probe_.accelerator; }
  int slots() const override { return slots_; }
  bool static_batch() const override { return static_batch_; }
  Placement placement() const override { return {}; }
  Status run(int slot, std::span<const Tensor* const> in, std::span<Tensor* const> out) override {
    last_bytes = in[0]->bytes;
    std::memcpy(out[0]->data, in[0]->data, in[0]->bytes);
    return probe_.run(slot);
  }
  void cancel(int) override { ++probe_.cancelled; }
  std::atomic<std::size_t> last_bytes{0};

 private:
  ModelSignature signature_;
  Probe& probe_;
  RunKind kind_;
  int slots_;
  bool static_batch_;
};

class ProbeBackend final : public Backend {
 public:
  explicit ProbeBackend(Probe& probe, RunKind kind, int slots, bool static_batch = false)
      : probe_(probe), kind_(kind), slots_(slots), static_batch_(static_batch) {}
  std::string_view name() const override { return "probe"; }
  Status available() override { return {}; }
  const std::vector<OptionDeclaration>& options() const override {
    static const std::vector<OptionDeclaration> kNone;
    return kNone;
  }
  Result<std::unique_ptr<Session>> open(const SessionRequest& r) override {
    SLUICE_ASSIGN(ModelSignature signature, read_signature(r.model));
    auto session = std::make_unique<ProbeSession>(std::move(signature), probe_, kind_, slots_, static_batch_);
    last = session.get();
    return std::unique_ptr<Session>(std::move(session));
  }
  ProbeSession* last = nullptr;

 private:
  Probe& probe_;
  RunKind kind_;
  int slots_;
  bool static_batch_;
};

}  // namespace sluice::testing
