// What the selector measures beside the frames, and what that leaves behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <mutex>

#include "inference/backend_options.h"
#include "inference/performance_modes.h"
#include "tests/runtime/selected_run.h"
#include "tests/runtime/slowed_backend.h"

namespace sluice {
namespace {

using namespace sluice::testing;
using ::testing::AnyOfArray;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

// A backend of the test's own, which the fake one reads models for.
class OwnBackend final : public Backend {
 public:
  using Wrap = std::function<std::unique_ptr<Session>(std::unique_ptr<Session>, const SessionRequest&)>;
  OwnBackend(std::unique_ptr<Backend> fake, std::string name, Wrap wrap)
      : fake_(std::move(fake)), name_(std::move(name)), wrap_(std::move(wrap)) {}
  std::string_view name() const override { return name_; }
  Status available() override { return {}; }
  const std::vector<OptionDeclaration>& options() const override { return fake_->options(); }
  Result<std::unique_ptr<Session>> open(const SessionRequest& request) override {
    SessionRequest read = request;
    read.backend = "fake";
    read.options = with_defaults("fake", {});
    SLUICE_ASSIGN(std::unique_ptr<Session> session, fake_->open(read));
    return wrap_(std::move(session), request);
  }

 private:
  const std::unique_ptr<Backend> fake_;
  const std::string name_;
  const Wrap wrap_;
};

std::vector<std::unique_ptr<Backend>> with_own(Clock& clock, const std::string& name,
                                               const OwnBackend::Wrap& wrap) {
  std::vector<std::unique_ptr<Backend>> out;
  out.push_back(std::make_unique<OwnBackend>(make_fake_backend(clock), name, wrap));
  for (std::unique_ptr<Backend>& backend : make_backends(clock))
    if (backend->name() != name) out.push_back(std::move(backend));
  return out;
}

class OwnSession : public Session {
 public:
  explicit OwnSession(std::unique_ptr<Session> real) : real_(std::move(real)) {}
  const ModelSignature& signature() const override { return real_->signature(); }
  RunKind kind() const override { return RunKind::kCompute; }
  int slots() const override { return 4; }
  Placement placement() const override { return real_->placement(); }

 protected:
  static Status run_for(int ms, std::span<Tensor* const> outputs) {
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
    for (Tensor* tensor : outputs) std::memset(tensor->data, 0, tensor->bytes);
    return {};
  }

 private:
  const std::unique_ptr<Session> real_;
};

// One NPU, and the mode that its session has.
struct Npu {
  std::mutex mutex;
  std::string mode;
  std::vector<std::string> modes;  // as they were set
  std::atomic<int> failing{0};     // so many runs from now on
};

class ModeSession final : public OwnSession, public PerformanceModes {
 public:
  ModeSession(std::unique_ptr<Session> real, Npu& npu) : OwnSession(std::move(real)), npu_(npu) {}
  std::string_view backend() const override { return "htp"; }
  std::string_view performance_mode() const override { return "balanced"; }
  Status run(int, std::span<const Tensor* const>, std::span<Tensor* const> outputs) override {
    int left = npu_.failing;
    while (left > 0 && !npu_.failing.compare_exchange_weak(left, left - 1)) {
    }
    if (left > 0) return failed("told to");
    const std::string mode = mode_now();
    return run_for(mode == "burst" ? 2 : mode == "balanced" ? 6 : 15, outputs);
  }
  Status set_performance_mode(const std::string& mode) override {
    std::lock_guard lock(npu_.mutex);
    npu_.modes.push_back(npu_.mode = mode);
    return {};
  }

 private:
  std::string mode_now() const {
    std::lock_guard lock(npu_.mutex);
    return npu_.mode;
  }
  Npu& npu_;
};

// Of the gpu's sessions of variant small the first one breaks for good.
struct Gpu {
  std::atomic<int> opened{0};
  std::atomic<bool> first_broken{false};
};

class BreakableSession final : public OwnSession {
 public:
  BreakableSession(std::unique_ptr<Session> real, Gpu& gpu, bool small)
      : OwnSession(std::move(real)), gpu_(gpu), small_(small), first_(small && gpu.opened++ == 0) {}
  std::string_view backend() const override { return "gpu"; }
  Status run(int, std::span<const Tensor* const>, std::span<Tensor* const> outputs) override {
    if (first_ && gpu_.first_broken) return failed("this session is broken");
    return run_for(small_ ? 2 : 10, outputs);
  }

 private:
  Gpu& gpu_;
  const bool small_, first_;
};

// Ends the run before what its backends are made of goes.
class ProbedRun : public SelectedRun {
 public:
  ~ProbedRun() override {
    if (engine_ && !waited_) finish();
    engine_.reset();
  }

 protected:
  void make_npu() {
    make_backends_ = [this](Clock& clock) {
      return with_own(clock, "htp", [this](std::unique_ptr<Session> real, const SessionRequest&) {
        return std::make_unique<ModeSession>(std::move(real), npu_);
      });
    };
  }
  void make_gpu() {
    make_backends_ = [this](Clock& clock) {
      return with_own(clock, "gpu", [this](std::unique_ptr<Session> real, const SessionRequest& request) {
        return std::make_unique<BreakableSession>(std::move(real), gpu_, request.model.variant == "small");
      });
    };
  }
  void start_three(const std::string& net, const std::string& net2, const std::string& net3) {
    start_file("version: 1\nname: t\nmodels: {m: {path: " + (folder_ / "own.onnx") +
               "}}\nnodes:\n"
               "  - {id: src, type: app_source, options: {width: 8, height: 8, format: gray, live: false}}\n"
               "  - {id: pre, type: preprocess, inputs: src, options: {model: m}}\n" +
               net + net2 + net3 +
               "  - {id: out, type: app_sink, inputs: net}\n"
               "  - {id: out2, type: null_sink, inputs: net2}\n"
               "  - {id: out3, type: null_sink, inputs: net3}\n");
  }
  std::string mode() {
    std::lock_guard lock(npu_.mutex);
    return npu_.mode;
  }
  std::string decided(std::size_t node = 0) {
    return engine_->report().inference.at(node).decisions.back().performance_mode.value_or("");
  }
  std::vector<std::string> all_decided() {
    std::vector<std::string> modes;
    const auto inference = engine_->report().inference;
    for (const auto& decision : inference.at(0).decisions)
      modes.push_back(decision.performance_mode.value_or(""));
    return modes;
  }

  Npu npu_;
  Gpu gpu_;
  SlowDown slow_;
};

// One failure opens the breakers of all modes; two seconds later they are tried again. Frames keep theirs.
TEST_F(ProbedRun, TriesOfOtherModesLeaveFramesInTheirs) {
  make_npu();
  start("", "backends: [htp], policy: latency");
  ASSERT_EQ(decided(), "burst");
  push();
  {
    std::lock_guard lock(npu_.mutex);
    npu_.modes.clear();
  }
  npu_.failing = 1;
  const SteadyClock clock;
  ASSERT_TRUE(push_until([&] { return clock.now() > from_s(4); }));
  EXPECT_EQ(mode(), decided());
  // More than one where a busy machine delays runs.
  const std::vector<std::string> for_frames = all_decided();
  std::lock_guard lock(npu_.mutex);
  EXPECT_THAT(npu_.modes, Each(AnyOfArray(for_frames))) << "while frames run in one, no other is tried";
}

TEST_F(ProbedRun, AVariantWhoseSessionBrokeComesBackOnANewOne) {
  make_gpu();
  start(variant("small"), "backends: [gpu], policy: latency, dwell_s: 0");
  const std::string small = "float32 1x3x2x2", own = "float32 1x3x4x4";
  ASSERT_TRUE(push_until([&] { return last_type() == small; }));
  gpu_.first_broken = true;
  ASSERT_TRUE(push_until([&] { return last_type() == own; }));
  EXPECT_TRUE(push_until([&] { return last_type() == small; }));
  EXPECT_EQ(gpu_.opened, 2);
  finish();
}

std::string infer_on(const std::string& id, const std::string& options) {
  return "  - {id: " + id + ", type: infer, inputs: pre, options: {model: m, " + options + "}}\n";
}

// One session has one mode: the fastest that one of its nodes asks for, and each node's report says it. The
// last node chooses nothing: it runs in the mode of the file, or a faster one.
TEST_F(ProbedRun, NodesThatShareASessionRunInTheModeThatTheyAreSaidTo) {
  make_npu();
  start_three(infer_on("net", "backends: [htp], policy: latency"),
              infer_on("net2", "backends: [htp], policy: efficiency"),
              infer_on("net3", "backends: [htp], policy: fixed"));
  for (int i = 0; i < 20; ++i) push();
  EXPECT_EQ(mode(), "burst");
  for (std::size_t node = 0; node < 3; ++node) EXPECT_EQ(decided(node), "burst") << node;
  EXPECT_THAT(engine_->report().inference.at(1).decisions.back().reason,
              HasSubstr("its session is shared; of the modes that are asked for the fastest holds, burst"));
  finish();
}

// The warm-up tried other modes on it.
TEST_F(ProbedRun, ANodeThatChoosesNothingKeepsItsModeWhereNobodyChoosesItsSession) {
  make_npu();
  start_three(infer_on("net", "backends: [cpu, htp], policy: latency"),
              infer_on("net2", "backends: [cpu, htp], policy: latency"),
              infer_on("net3", "backends: [htp], policy: fixed"));
  push();
  ASSERT_EQ(decided(0), "") << "the cpu takes no time";
  EXPECT_EQ(mode(), "balanced");
  finish();
}

// What is left of the warm-up's time is too short to tell whether the second one hangs.
TEST_F(ProbedRun, ASlowCandidateDoesNotMakeTheNextOneFail) {
  make_backends_ = [this](Clock& clock) { return slowed_backends(clock, slow_); };
  slow_["cpu"] = 2300;
  start("", "backends: [cpu, fake], policy: latency, fake: {latency_ms: 450}");
  EXPECT_THAT(inference().warnings, Not(Contains(HasSubstr("failed while it was measured"))));
  finish();
}

}  // namespace
}  // namespace sluice
