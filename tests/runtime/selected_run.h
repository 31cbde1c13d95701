// A run whose selector decides every 10 ms: frames go in one by one, and come out with the stamp of what they
// ran on.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "backends/backends.h"
#include "backends/fake/fake_backend.h"
#include "nodes/app_ends.h"
#include "runtime/builtin.h"
#include "runtime/engine.h"
#include "tests/inference/support.h"

namespace sluice::testing {

// Shows what the test says.
class DialledTelemetry final : public Telemetry {
 public:
  explicit DialledTelemetry(const std::atomic<double>& celsius) : celsius_(celsius) {}
  std::string_view source() const override { return "dialled"; }
  Readings sample(TimeNs now) override {
    Readings out;
    out.at = now;
    if (celsius_ > 0) out.temperature(HeatRole::kNpu) = {celsius_.load(), now, Health::kGood};
    return out;
  }
  std::vector<SensorState> sensors() const override { return {}; }

 private:
  const std::atomic<double>& celsius_;
};

struct Seen {
  std::uint64_t frame = 0;
  std::string type;  // of the tensor
  FakeStamp stamp;
};

inline std::uint64_t stamp_at(const Tensor& tensor, std::size_t index) {
  if (tensor.type->dtype == DType::kUint8) return static_cast<std::uint64_t>(tensor.data[index]);
  return static_cast<std::uint64_t>(std::lround(reinterpret_cast<const float*>(tensor.data)[index] * 1024));
}

class SelectedRun : public ::testing::Test {
 public:
  ~SelectedRun() override {
    if (engine_ && !waited_) finish();
  }

 protected:
  SelectedRun() {
    ::setenv("SLUICE_ARTIFACTS", (folder_ / "artifacts").c_str(), 1);
    folder_.write("own.onnx", model(4, onnx::kFloat));
    folder_.write("small.onnx", model(2, onnx::kFloat));
    folder_.write("bytes.onnx", model(4, onnx::kUint8));
  }
  static std::string model(int size, std::int32_t element, const char* op = "Identity") {
    const Dims dims = {1, 3, size, size};
    return ModelBuilder().input("x", dims, element).output("y", dims, element).node(op, {"x"}, {"y"}).bytes();
  }

  void start(const std::string& variants, const std::string& options, const std::string& on_error = "drop") {
    const std::string text = "version: 1\nname: t\nmodels: {m: {path: " + (folder_ / "own.onnx") +
                             (variants.empty() ? "" : ", variants: {" + variants + "}") +
                             "}}\nnodes:\n"
                             "  - {id: src, type: app_source, options: {width: 8, height: 8, format: gray, "
                             "live: false}}\n"
                             "  - {id: pre, type: preprocess, inputs: src, options: {model: m}}\n"
                             "  - {id: net, type: infer, inputs: pre, options: {model: m, " +
                             options + "}, on_error: " + on_error +
                             "}\n  - {id: out, type: app_sink, inputs: net}\n";
    start_file(text);
  }
  // `text`: a pipeline file with an app_source `src` and an app_sink `out`.
  void start_file(const std::string& text) {
    auto loaded = Pipeline::load(text, builtin_registry());
    ASSERT_TRUE(loaded.ok()) << loaded.status().message();
    pipeline_.emplace(std::move(loaded).value());
    EngineSetup setup;
    setup.make_telemetry = [this] { return std::make_unique<DialledTelemetry>(celsius_); };
    setup.control_period = from_ms(10);
    setup.make_backends = make_backends_;
    engine_ = std::make_unique<Engine>(
        std::shared_ptr<const Plan>(std::shared_ptr<const Plan>(), &pipeline_->plan()), std::move(setup));
    ASSERT_TRUE(engine_->create_nodes().ok());
    auto& sink = dynamic_cast<AppSink&>(*engine_->node("out"));
    ASSERT_TRUE(sink.on_packet([this](const Packet& packet) { take(packet); }).ok());
    const Status status = engine_->start({});
    ASSERT_TRUE(status.ok()) << status.message();
  }
  std::string variant(const std::string& name) const { return name + ": " + (folder_ / (name + ".onnx")); }

  void take(const Packet& packet) {
    const auto* tensor = packet.get<Tensor>();
    Seen seen{packet.frame().number, tensor->type->text(), {}};
    seen.stamp.variant = stamp_at(*tensor, 1);
    seen.stamp.generation = stamp_at(*tensor, 2);
    seen.stamp.run = stamp_at(*tensor, 3);
    const bool fake = stamp_at(*tensor, 0) == FakeStamp::kBackend;
    std::lock_guard lock(mutex_);
    seen_.push_back(std::move(seen));
    on_fake_ = fake;
  }
  void push() { ASSERT_TRUE(try_push().ok()); }
  Status try_push() {
    static const std::array<std::uint8_t, 64> kBlack{};
    Frame frame{.format = PixelFormat::kGray, .width = 8, .height = 8};
    frame.planes[0] = kBlack.data();
    frame.strides[0] = 8;
    SLUICE_RETURN_IF_ERROR(dynamic_cast<AppSource&>(*engine_->node("src")).push(frame));
    ++pushed_;
    return {};
  }
  // Pushes frames until `reached`, for half a minute at most.
  template <typename Reached>
  bool push_until(Reached&& reached) {
    const SteadyClock clock;
    while (!reached()) {
      if (clock.now() > from_s(30)) return false;
      push();
    }
    return true;
  }
  RunReport finish() {
    waited_ = true;
    dynamic_cast<AppSource&>(*engine_->node("src")).close_stream();
    while (!engine_->wait_for(60)) ADD_FAILURE() << "the run does not end";
    status_ = engine_->finish();
    return engine_->report();
  }
  InferenceReport inference() { return engine_->report().inference.at(0); }
  bool runs_on(const std::string& backend) { return inference().backend == backend; }
  std::string last_type() {
    std::lock_guard lock(mutex_);
    return seen_.empty() ? "" : seen_.back().type;
  }

  // The number of the run that the first frame got, which tells how many the warm-up took.
  std::uint64_t runs_of_warm_up() {
    start("", "backends: [fake], policy: latency, fake: {latency_ms: 100}");
    push();
    finish();
    EXPECT_TRUE(status_.ok()) << status_.message();
    engine_.reset();
    waited_ = false;
    return seen_.back().stamp.run;
  }

  ScratchFolder folder_;
  std::function<std::vector<std::unique_ptr<Backend>>(Clock&)> make_backends_;  // none: as they are
  std::atomic<double> celsius_{0};
  std::optional<Pipeline> pipeline_;  // only for its plan
  std::unique_ptr<Engine> engine_;
  bool waited_ = false;
  Status status_;
  std::mutex mutex_;
  std::vector<Seen> seen_;
  bool on_fake_ = false;
  std::uint64_t pushed_ = 0;
};

}  // namespace sluice::testing
