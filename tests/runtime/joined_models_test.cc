// Two models that exchange tensors, of which one has variants in use: every frame takes the route of a
// variant through both, and its numbers are those of the models alone.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <tuple>

#include "runtime/builtin.h"
#include "runtime/pipeline.h"
#include "tests/inference/support.h"

namespace sluice {
namespace {

using namespace sluice::testing;

// y = x or -x, of floats or, in steps of 1, of int8 at its edges.
std::string model(const char* op, bool quantised) {
  ModelBuilder out;
  out.input("x", {1, 1, 4, 4}).output("y", {1, 1, 4, 4});
  if (!quantised) return out.node(op, {"x"}, {"y"}).bytes();
  out.scale("s", 1.0f).weight(tensor<std::int8_t>("z", onnx::kInt8, {}, {0}));
  const auto pair = [&](const std::string& from, const std::string& to) {
    out.node("QuantizeLinear", {from, "s", "z"}, {to + "q"})
        .node("DequantizeLinear", {to + "q", "s", "z"}, {to});
  };
  pair("x", "a");
  out.node(op, {"a"}, {"b"});
  pair("b", "y");
  return out.bytes();
}

// Whether the model's own path, its variant and the other model are quantised; which of the two comes first;
// whether they stand side by side.
enum class Order { kVariantsFirst, kVariantsLast, kBeside };
using Case = std::tuple<bool, bool, bool, Order>;

class JoinedModels : public ::testing::TestWithParam<Case> {
 protected:
  std::string text() {
    const auto [own, variant, other, order] = GetParam();
    const std::string base = folder_.write("base.onnx", model("Identity", own));
    const std::string negative = folder_.write("negative.onnx", model("Neg", variant));
    const std::string second = folder_.write("second.onnx", model("Identity", other));
    const std::string m = "options: {model: m, policy: latency}}\n", c = "options: {model: c}}\n";
    const std::string first_of = order == Order::kVariantsLast ? "c" : "m";
    std::string out =
        "version: 1\nname: t\nmodels:\n  m: {path: " + base + ", variants: {n: " + negative +
        "}}\n  c: {path: " + second +
        "}\nnodes:\n"
        "  - {id: src, type: app_source, options: {width: 4, height: 4, format: gray, live: false}}\n"
        "  - {id: pre, type: preprocess, inputs: src, options: {model: " +
        first_of + ", color: gray}}\n";
    const auto node = [&](const std::string& id, const std::string& from, const std::string& options) {
      out += "  - {id: " + id + ", type: infer, inputs: " + from + ", " + options;
    };
    if (order == Order::kVariantsLast) {
      node("one", "pre", c);
      node("two", "one", m);
    } else {
      node("one", "pre", m);
      node("two", order == Order::kBeside ? "pre" : "one", c);
    }
    return out +
           "  - {id: out, type: json_sink, inputs: {a: one, b: two}, options: {path: " + (folder_ / "lines") +
           "}}\n" + "  - {id: end, type: app_sink, inputs: two}\n";
  }
  void push(int frames) {
    for (int i = 0; i < frames; ++i) {
      std::array<std::uint8_t, 16> pixels{};
      pixels.fill(static_cast<std::uint8_t>(++pushed_));
      Frame frame{.format = PixelFormat::kGray, .width = 4, .height = 4};
      frame.planes[0] = pixels.data();
      frame.strides[0] = 4;
      ASSERT_TRUE(pipeline_->app_source("src").push(frame).ok());
    }
  }

  ScratchFolder folder_;
  std::optional<Pipeline> pipeline_;
  int pushed_ = 0;
};

double value_of(const Tensor& tensor) {
  if (tensor.type->dtype == DType::kFloat32) return *reinterpret_cast<const float*>(tensor.data);
  return *reinterpret_cast<const std::int8_t*>(tensor.data);
}

TEST_P(JoinedModels, GiveWhatTheyGiveAlone) {
  auto loaded = Pipeline::load(text(), builtin_registry());
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  pipeline_.emplace(std::move(loaded).value());
  std::mutex mutex;
  std::condition_variable came;
  std::vector<double> seen;
  ASSERT_TRUE(pipeline_->app_sink("end")
                  .on_packet([&](const Packet& packet) {
                    const std::lock_guard lock(mutex);
                    seen.push_back(value_of(*packet.get<Tensor>()));
                    came.notify_all();
                  })
                  .ok());
  const Status started = pipeline_->start();
  ASSERT_TRUE(started.ok()) << started.message();
  for (const char* const variant : {"", "n", ""}) {
    ASSERT_TRUE(pipeline_->use_variant("m", variant).ok());
    push(10);
    std::unique_lock lock(mutex);
    came.wait_for(lock, std::chrono::seconds(60),
                  [&] { return seen.size() == static_cast<std::size_t>(pushed_); });
  }
  pipeline_->app_source("src").close();
  const Status status = pipeline_->wait();
  ASSERT_TRUE(status.ok()) << status.message();
  ASSERT_EQ(seen.size(), 30u);
  const bool changes = std::get<Order>(GetParam()) != Order::kBeside;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const double sign = changes && i >= 10 && i < 20 ? -1 : 1;
    EXPECT_EQ(seen[i], sign * static_cast<double>(i + 1)) << "frame " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Types, JoinedModels,
                         ::testing::Combine(::testing::Bool(), ::testing::Bool(), ::testing::Bool(),
                                            ::testing::Values(Order::kVariantsFirst, Order::kVariantsLast,
                                                              Order::kBeside)));

}  // namespace
}  // namespace sluice
