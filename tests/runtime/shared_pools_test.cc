// A pipeline's buffers around an NPU that shares memory, on the mock provider: nothing is copied between
// preprocess and the NPU, and the report says what is shared or why nothing is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>

#include "backends/htp/htp_backend.h"
#include "backends/htp/shared_memory.h"
#include "nodes/app_ends.h"
#include "runtime/builtin.h"
#include "runtime/engine.h"
#include "tests/backends/log_capture.h"
#include "tests/backends/mock/mock_control.h"
#include "tests/inference/support.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using namespace sluice::testing;

constexpr int kFrames = 20;

class SharedPoolsTest : public ::testing::Test {
 protected:
  SharedPoolsTest() {
    MockControl& m = mock();
    m.allocated = m.freed = 0;
    m.shared_inputs = m.shared_outputs = m.own_inputs = m.own_outputs = 0;
    m.allocations_left = MockControl::kUnlimited;
    const Dims dims = {1, 3, 8, 8};
    folder_.write("m.onnx",
                  ModelBuilder().input("x", dims).output("y", dims).node("Relu", {"x"}, {"y"}).bytes());
    provider_ = htp::Provider::open({SLUICE_MOCK_PROVIDER, "", ""});
  }
  // `between` stands between preprocess and infer.
  Status probe(const std::string& options, bool lends = true, const std::string& between = "") {
    const std::string text =
        "version: 1\nname: t\nmodels: {m: {path: " + (folder_ / "m.onnx") +
        "}}\nnodes:\n"
        "  - {id: src, type: app_source, options: {width: 8, height: 8, format: gray, live: false}}\n"
        "  - {id: pre, type: preprocess, inputs: src, options: {model: m}}\n" +
        between + "  - {id: net, type: infer, inputs: " + (between.empty() ? "pre" : "mid") +
        ", options: {model: m, " + options + "}}\n  - {id: out, type: null_sink, inputs: net}\n";
    auto loaded = Pipeline::load(text, builtin_registry());
    if (!loaded.ok()) return loaded.status();
    pipeline_.emplace(std::move(*loaded));
    EngineSetup setup;
    setup.make_backends = [this, lends](Clock& clock) {
      HtpSetup htp;
      htp.clock = &clock;
      htp.cache = std::make_shared<ArtifactCache>("");
      htp.simulated = true;
      htp.provider = [this] { return provider_; };
      if (lends) htp.shared_memory = htp::open_shared_memory;
      std::vector<std::unique_ptr<Backend>> out;
      out.push_back(make_htp_backend(std::move(htp)));
      return out;
    };
    engine_ = std::make_unique<Engine>(
        std::shared_ptr<const Plan>(std::shared_ptr<const Plan>(), &pipeline_->plan()), std::move(setup));
    SLUICE_RETURN_IF_ERROR(engine_->create_nodes());
    return engine_->probe({});
  }
  RunReport run() {
    const Status started = engine_->start({});
    EXPECT_TRUE(started.ok()) << started.message();
    auto& source = dynamic_cast<AppSource&>(*engine_->node("src"));
    const std::array<std::uint8_t, 64> pixels{};
    Frame frame{.format = PixelFormat::kGray, .width = 8, .height = 8};
    frame.planes[0] = pixels.data();
    frame.strides[0] = 8;
    for (int i = 0; i < kFrames; ++i) EXPECT_TRUE(source.push(frame).ok());
    source.close_stream();
    while (!engine_->wait_for(60)) ADD_FAILURE() << "the run does not end";
    const Status finished = engine_->finish();
    EXPECT_TRUE(finished.ok()) << finished.message();
    return engine_->report();
  }

  ScratchFolder folder_;
  LogCapture log_;
  Result<std::shared_ptr<htp::Provider>> provider_ = unavailable("not opened");
  std::optional<Pipeline> pipeline_;  // only for its plan
  std::unique_ptr<Engine> engine_;
};

TEST_F(SharedPoolsTest, NothingIsCopiedBetweenPreprocessAndTheNpu) {
  const Status probed = probe("backends: [htp]");
  ASSERT_TRUE(probed.ok()) << probed.message();
  const int lent = mock().allocated;
  EXPECT_GT(lent, 1);
  const RunReport report = run();
  EXPECT_EQ(report.sources.at(0).delivered, static_cast<std::uint64_t>(kFrames));
  EXPECT_EQ(mock().shared_inputs, kFrames);
  EXPECT_EQ(mock().shared_outputs, kFrames);
  EXPECT_EQ(mock().own_inputs + mock().own_outputs, 0);
  EXPECT_EQ(mock().allocated, lent);  // all of it was there before the first frame
  ASSERT_TRUE(report.shared_memory);
  EXPECT_EQ(report.shared_memory->absent, "");
  EXPECT_NEAR(report.shared_memory->pool_mb, lent * 3 * 8 * 8 * 4 / 1e6, 1e-9);
  EXPECT_THAT(to_json(report), HasSubstr("\"absent\": null"));
  engine_.reset();
  EXPECT_EQ(mock().freed, lent);
  EXPECT_EQ(mock().sessions, 0);
}

TEST_F(SharedPoolsTest, WhatANodeOnlyHandsOnIsMadeInSharedMemory) {
  const Status probed = probe("backends: [htp]", true,
                              "  - {id: mid, type: rate_limit, inputs: pre, options: {rate_hz: 100000}}\n");
  ASSERT_TRUE(probed.ok()) << probed.message();
  run();
  EXPECT_GT(mock().shared_inputs, 0);
  EXPECT_EQ(mock().own_inputs + mock().own_outputs, 0);
}

TEST_F(SharedPoolsTest, TheReportSaysWhyThereIsNone) {
  ASSERT_TRUE(probe("backends: [htp]", false).ok());
  const RunReport report = run();
  EXPECT_EQ(mock().own_inputs, kFrames);
  EXPECT_EQ(mock().allocated, 0);
  ASSERT_TRUE(report.shared_memory);
  EXPECT_EQ(report.shared_memory->pool_mb, 0);
  EXPECT_THAT(report.shared_memory->absent, HasSubstr("backend 'htp': Qualcomm's simulator"));
  EXPECT_THAT(to_json(report), HasSubstr("Qualcomm's simulator computes in"));
}

TEST_F(SharedPoolsTest, WhereItRunsOutTheProbeNamesThePool) {
  mock().allocations_left = 1;
  const Status probed = probe("backends: [htp]");
  EXPECT_EQ(probed.code(), Code::kFailed);
  EXPECT_THAT(probed.message(), HasSubstr("pool 'pre.tensor': no shared memory for"));
  engine_.reset();
  EXPECT_EQ(mock().freed, mock().allocated);
}

}  // namespace
}  // namespace sluice
