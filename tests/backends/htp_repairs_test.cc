// What Qualcomm's provider computes wrongly or dies of: it gets a model that means the same, or none.
#include "backends/htp/repairs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "backends/cpu/cpu_backend.h"
#include "backends/htp/htp_backend.h"
#include "tests/backends/htp_models.h"
#include "tests/backends/log_capture.h"
#include "tests/inference/support.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace sluice::testing;

std::string text_attribute(const std::string& name, const std::string& value) {
  return onnx::Writer().bytes(pb::kAttributeName, name).bytes(4, value).varint(20, 3).take();
}

std::string list_attribute(const std::string& name, const std::vector<std::int64_t>& values) {
  onnx::Writer out;
  out.bytes(pb::kAttributeName, name).varint(20, 7);
  for (const std::int64_t value : values) out.varint(8, static_cast<std::uint64_t>(value));
  return out.take();
}

class HtpRepairs : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!htp::kSimulator) GTEST_SKIP() << "Qualcomm's simulator is an x86-64 library";
    renew();
  }
  // Another process's view: the same folder, nothing remembered.
  void renew() {
    cache_ = std::make_shared<ArtifactCache>(scratch_ / "artifacts");
    HtpSetup setup;
    setup.clock = &clock_;
    setup.cache = cache_;
    htp_ = make_htp_backend(std::move(setup));
  }
  SessionRequest request(const ModelBuilder& model) {
    SessionRequest out;
    out.model = request_for(scratch_.write("m.onnx", model.bytes()));
    out.on_fallback = "error";
    out.keep_float = {"x", "y"};
    return out;
  }
  std::string why_not(const ModelBuilder& model) { return htp_->open(request(model)).status().message(); }
  // The input's bytes count up, or are floats that do.
  static std::vector<float> result_on(Backend& backend, const SessionRequest& wanted) {
    auto session = backend.open(wanted);
    EXPECT_TRUE(session.ok()) << session.status().message();
    if (!session.ok()) return {};
    EXPECT_THAT((*session)->placement().elsewhere, IsEmpty());
    RunTensors tensors((*session)->signature());
    const std::size_t bytes = tensors.inputs[0].tensor.bytes;
    if ((*session)->signature().inputs[0].dtype == DType::kUint8) {
      std::vector<std::uint8_t> counting(bytes);
      for (std::size_t i = 0; i < bytes; ++i) counting[i] = static_cast<std::uint8_t>(i * 5);
      tensors.inputs[0].set(counting);
    } else {
      std::vector<float> counting(bytes / sizeof(float));
      for (std::size_t i = 0; i < counting.size(); ++i) counting[i] = static_cast<float>(i);
      tensors.inputs[0].set(counting);
    }
    const Status ran = (*session)->run(0, tensors.in, tensors.out);
    EXPECT_TRUE(ran.ok()) << ran.message();
    return tensors.outputs[0].values<float>();
  }
  void expect_the_cpus(const ModelBuilder& model) {
    const SessionRequest wanted = request(model);
    const auto cpu = make_cpu_backend();
    const std::vector<float> expected = result_on(*cpu, wanted), got = result_on(*htp_, wanted);
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i)
      EXPECT_NEAR(got[i], expected[i], 0.01 + 2e-3 * std::abs(expected[i])) << i;
  }

  SteadyClock clock_;
  ScratchFolder scratch_;
  std::shared_ptr<ArtifactCache> cache_;
  std::unique_ptr<Backend> htp_;
  LogCapture log_;
};

// --- what means the same

// ONNX Runtime makes Softplus, Tanh and Mul of it after the provider has compiled what is around it.
TEST_F(HtpRepairs, AModelWithMishRunsWithoutAKeptOne) {
  const SessionRequest wanted = request(ModelBuilder()
                                            .input("x", {1, 8})
                                            .output("y", {1, 8})
                                            .node("Relu", {"x"}, {"r"})
                                            .node("Mish", {"r"}, {"m"})
                                            .node("Relu", {"m"}, {"y"}));
  const auto session = htp_->open(wanted);
  ASSERT_TRUE(session.ok()) << session.status().message();
  EXPECT_THAT((*session)->placement().elsewhere, IsEmpty());
  ASSERT_EQ(log_.warnings().size(), 1u);
  EXPECT_THAT(log_.warnings()[0], AllOf(HasSubstr("the compiled model is not kept"), HasSubstr("Mish")));
  const auto compiled = htp_->compile(wanted);
  EXPECT_EQ(compiled.status().code(), Code::kUnavailable);
  EXPECT_THAT(compiled.status().message(), HasSubstr("Mish"));
}

TEST_F(HtpRepairs, BytesBecomeFloatsOfTheirValue) {
  ModelBuilder model;
  model.input("x", {1, 3, 4, 4}, onnx::kUint8)
      .output("y", {1, 3, 4, 4})
      .scale("half", 0.5f)
      .node("Cast", {"x"}, {"c"}, {int_attribute("to", onnx::kFloat)})
      .node("Mul", {"c", "half"}, {"y"});
  expect_the_cpus(model);
}

TEST_F(HtpRepairs, BytesOnTheWayToo) {
  ModelBuilder model;
  model.input("x", {1, 3, 4, 4})
      .output("y", {1, 3, 4, 4})
      .scale("half", 0.5f)
      .node("Cast", {"x"}, {"b"}, {int_attribute("to", onnx::kUint8)})
      .node("Identity", {"b"}, {"i"})
      .node("Cast", {"i"}, {"c"}, {int_attribute("to", onnx::kFloat)})
      .node("Mul", {"c", "half"}, {"y"});
  expect_the_cpus(model);
}

ModelBuilder windows(const std::string& type, std::int64_t kernel, std::int64_t stride, std::int64_t size) {
  const std::int64_t out = (size + stride - 1) / stride;
  ModelBuilder model;
  model.input("x", {1, 3, size, size}).output("y", {1, 3, out, out});
  std::vector<std::string> inputs = {"x"};
  if (type == "Conv") {
    inputs.emplace_back("w");
    model.weight(tensor<float>("w", onnx::kFloat, {3, 3, kernel, kernel},
                               std::vector<float>(static_cast<std::size_t>(9 * kernel * kernel), 0.5f)));
  }
  return model.node(
      type, inputs, {"y"},
      {text_attribute("auto_pad", "SAME_UPPER"), list_attribute("kernel_shape", {kernel, kernel}),
       list_attribute("strides", {stride, stride})});
}

TEST_F(HtpRepairs, WindowsThatStepOverPixelsHaveTheirPaddingWrittenOut) {
  expect_the_cpus(windows("Conv", 1, 3, 9));
  expect_the_cpus(windows("MaxPool", 1, 2, 8));
  expect_the_cpus(windows("MaxPool", 3, 4, 8));
  expect_the_cpus(windows("AveragePool", 2, 4, 11));
}

TEST_F(HtpRepairs, WeightsBesideTheModelNeedNoLength) {
  std::vector<float> weights(8);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = 0.25f * static_cast<float>(i);
  std::string bytes(weights.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), weights.data(), bytes.size());
  scratch_.write("w.bin", bytes);
  ModelBuilder model;
  model.input("x", {1, 2, 3, 3})
      .output("y", {1, 2, 3, 3})
      .weight(external_tensor("w", {2, 2, 1, 1}, "w.bin", "", "16"))
      .node("Conv", {"x", "w"}, {"y"});
  expect_the_cpus(model);
}

TEST_F(HtpRepairs, AWeightThatIsAnInputTooStaysInTheCompiledModel) {
  ModelBuilder model;
  model.input("x", {1, 1, 4, 4})
      .input("k", {})
      .output("y", {1, 1, 4, 4})
      .scale("k", 1.5f)
      .node("Mul", {"x", "k"}, {"y"});
  expect_the_cpus(model);
  renew();
  expect_the_cpus(model);
  EXPECT_EQ(cache_->counts().hits, 1u) << "the compiled model was refused";
  EXPECT_THAT(log_.warnings(), IsEmpty());
}

std::string graph_attribute(const std::string& name, const std::string& graph) {
  return onnx::Writer()
      .bytes(pb::kAttributeName, name)
      .bytes(pb::kAttributeGraph, graph)
      .varint(20, 5)
      .take();
}

// v + 1, three times.
std::string loop_body() {
  const auto node = [](const char* type, const std::vector<std::string>& inputs, const char* output) {
    onnx::Writer out;
    for (const std::string& input : inputs) out.bytes(pb::kNodeInput, input);
    return out.bytes(pb::kNodeOutput, output).bytes(pb::kOpType, type).take();
  };
  return onnx::Writer()
      .bytes(pb::kNode, node("Identity", {"go"}, "on"))
      .bytes(pb::kNode, node("Add", {"v", "one"}, "w"))
      .bytes(pb::kGraphName, "body")
      .bytes(pb::kInitializer, tensor<float>("one", onnx::kFloat, {}, {1}))
      .bytes(pb::kInput, value_info("i", onnx::kInt64, {}))
      .bytes(pb::kInput, value_info("go", onnx::kBoolean, {}))
      .bytes(pb::kInput, value_info("v", onnx::kFloat, {1, 4}))
      .bytes(pb::kOutput, value_info("on", onnx::kBoolean, {}))
      .bytes(pb::kOutput, value_info("w", onnx::kFloat, {1, 4}))
      .take();
}

TEST_F(HtpRepairs, ASplitModelWithALoopIsNotKeptToBeRefused) {
  ModelBuilder model;
  model.input("x", {1, 4})
      .output("y", {1, 4})
      .weight(tensor<std::int64_t>("times", onnx::kInt64, {}, {3}))
      .weight(tensor<std::uint8_t>("start", onnx::kBoolean, {}, {1}))
      .node("Relu", {"x"}, {"r"})
      .node("Loop", {"times", "start", "r"}, {"y"}, {graph_attribute("body", loop_body())});
  SessionRequest wanted = request(model);
  wanted.on_fallback = "allow";
  for (int start = 0; start < 2; ++start) {
    renew();
    const auto session = htp_->open(wanted);
    ASSERT_TRUE(session.ok()) << session.status().message();
    EXPECT_EQ((*session)->placement().on_backend, 1);
  }
  EXPECT_THAT(log_.warnings(), IsEmpty());
}

TEST_F(HtpRepairs, AModelWithoutFaultsIsGivenAsItIs) {
  EXPECT_FALSE(htp::repaired(npu_model().bytes(), {}));
  EXPECT_FALSE(htp::repaired(windows("MaxPool", 3, 2, 8).bytes(), {}));
}

// Models come from anywhere.
TEST_F(HtpRepairs, OperatorsThatMakeNoSenseAreLeftToTheProvider) {
  const std::string cast = onnx::Writer()
                               .bytes(pb::kNodeInput, "x")
                               .bytes(pb::kOpType, "Cast")
                               .bytes(pb::kAttribute, int_attribute("to", onnx::kFloat))
                               .take();
  const std::string graph = onnx::Writer()
                                .bytes(pb::kNode, cast)
                                .bytes(pb::kInput, value_info("x", onnx::kUint8, {1, 3, 8, 8}))
                                .take();
  EXPECT_FALSE(htp::repaired(onnx::Writer().varint(pb::kIrVersion, 8).bytes(pb::kGraph, graph).text(), {}));
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  EXPECT_FALSE(htp::repaired(
      windows("MaxPool", 1, 1, 8)
          .node("MaxPool", {"x"}, {"z"},
                {text_attribute("auto_pad", "SAME_UPPER"), list_attribute("kernel_shape", {kMost, 1}),
                 list_attribute("strides", {kMost, kMost}), list_attribute("dilations", {kMost, -kMost})})
          .bytes(),
      {}));
}

// --- what is refused

TEST_F(HtpRepairs, WindowsThatStartInsideTheInputAreRefused) {
  EXPECT_THAT(why_not(windows("MaxPool", 1, 3, 9)),
              HasSubstr("operator 'MaxPool_y' (MaxPool) is padded by auto_pad to less than its input, which "
                        "QNN's compiler does not survive"));
  EXPECT_THAT(why_not(windows("Conv", 1, 4, 16)), HasSubstr("'Conv_y' (Conv)"));
}

ModelBuilder single_channel(std::int64_t stride) {
  return ModelBuilder()
      .input("x", {1, 1, 9, 9})
      .output("y", {1, 1, (9 - 1) / stride + 1, (9 - 1) / stride + 1})
      .weight(tensor<float>("w", onnx::kFloat, {1, 1, 1, 1}, {0.5f}))
      .node("Conv", {"x", "w"}, {"y"}, {list_attribute("strides", {stride, stride})});
}

TEST_F(HtpRepairs, OneChannelOfOneWithLargeStridesIsRefused) {
  EXPECT_THAT(why_not(single_channel(3)), HasSubstr("operator 'Conv_y' (Conv) makes one channel of one"));
  expect_the_cpus(single_channel(2));
}

TEST_F(HtpRepairs, OneInputInTwoQuantisationsIsRefused) {
  ModelBuilder model;
  model.input("x", {1, 3, 8, 8}).output("y", {1, 3, 8, 8});
  add_qdq(model, "x", "a", 0.03f);
  add_qdq(model, "x", "b", 0.05f);
  model.node("Add", {"a", "b"}, {"y"});
  EXPECT_THAT(why_not(model),
              AllOf(HasSubstr("operator 'Add_y' (Add) reads input 'x' in several quantisations"),
                    HasSubstr("quantise what it gives too")));
}

}  // namespace
}  // namespace sluice
