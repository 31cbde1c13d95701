// The infer node alone: choice of a backend, runs, what it drops, filters and reports.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "backends/backends.h"
#include "inference/checked_model.h"
#include "inference/model_user.h"
#include "inference/services.h"
#include "inference/tensor_checks.h"
#include "nodes/infer_node.h"
#include "tests/inference/support.h"
#include "tests/nodes/fake_context.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using namespace sluice::testing;

OptionValue numbers(std::initializer_list<std::int64_t> values) {
  OptionList list;
  for (const std::int64_t v : values) list.push_back({v});
  return {list};
}
OptionValue map(OptionMap values) { return {std::move(values)}; }

NodeDeclaration declaration() {
  NodeDeclaration d;
  d.type = "infer";
  describe_infer(d);
  return d;
}

class InferNode : public ::testing::Test {
 protected:
  // The backend that is not there is htp, here too.
  InferNode() { ::setenv("SLUICE_QNN", "/no/where", 1); }
  // Opens the node on a model; the types of its edges are the model's unless `edge` says otherwise.
  Status open(const ModelBuilder& model, OptionMap written = {}) {
    InferenceSetup setup;
    setup.backends = make_backends(clock_);
    setup.models = {request_for(folder_.write("m.onnx", model.bytes()))};
    setup.clock = &clock_;
    setup.runs_at_once["node"] = runs_at_once_;
    services_ = std::make_unique<InferenceServices>(std::move(setup));
    written["model"] = text("m");
    options_ = options_of(declaration(), std::move(written));
    auto signature = read_signature(services_->model("m").value());
    EXPECT_TRUE(signature.ok()) << signature.status().message();
    OpenSetup open(options_);
    for (const TensorType& type : signature->inputs) open.input(0, tensor_port(type));
    context_ = std::make_unique<FakeContext>(options_);
    for (std::size_t i = 0; i < signature->outputs.size(); ++i) {
      open.output(tensor_port(signature->outputs[i]));
      context_->set_output(i, tensor_port(signature->outputs[i]));
    }
    signature_ = *signature;
    Registry registry;
    EXPECT_TRUE(register_infer_node(registry).ok());
    node_ = registry.find("infer")->create().value();
    OpenContext context = open.context();
    context.services = services_.get();
    return node_->open(context);
  }
  template <typename T>
  Status process(const std::vector<T>& values, TimeNs media_time = 0) {
    context_->clear();
    context_->info.media_time = media_time;
    context_->info.number = next_frame_++;
    Geometry geometry;
    geometry.xx = 2.5;
    context_->set_input(0, make_tensor(signature_.inputs[0], values, geometry));
    return node_->process(*context_);
  }
  Status process() { return process(std::vector<float>(4)); }
  InferenceEntry entry() { return services_->entries().at(0); }

  ScratchFolder folder_;
  ManualClock clock_;
  std::unique_ptr<InferenceServices> services_;
  OptionsPtr options_;
  ModelSignature signature_;
  std::unique_ptr<FakeContext> context_;
  std::uint64_t next_frame_ = 0;
  int runs_at_once_ = 1;
  std::unique_ptr<Node> node_;
};

TEST_F(InferNode, RunsOnTheCpuAndKeepsTheGeometry) {
  ASSERT_TRUE(open(relu_model()).ok());
  ASSERT_TRUE(process<float>({-1, 2, -3, 4}).ok());
  ASSERT_EQ(context_->emitted(0).size(), 1u);
  const Tensor* out = context_->emitted(0)[0].get<Tensor>();
  ASSERT_TRUE(out);
  const float* values = reinterpret_cast<const float*>(out->data);
  EXPECT_THAT(std::vector<float>(values, values + 4), ::testing::ElementsAre(0, 2, 0, 4));
  EXPECT_EQ(out->geometry.xx, 2.5);
  EXPECT_EQ(entry().backend, "cpu");
  EXPECT_EQ(entry().latency.count(), 1u);
  EXPECT_EQ(entry().placement.total, 1);
  EXPECT_FALSE(entry().saturated_fraction);
  EXPECT_FALSE(entry().simulated);
  ASSERT_EQ(entry().decisions.size(), 1u);
  EXPECT_THAT(entry().decisions[0].reason, HasSubstr("policy fixed: the first usable of cpu"));
}

TEST_F(InferNode, SkipsUnavailableBackendsAndSaysSo) {
  ASSERT_TRUE(open(relu_model(), {{"backends", texts({"htp", "cpu"})}}).ok());
  EXPECT_EQ(entry().backend, "cpu");
  EXPECT_THAT(entry().requested, ::testing::ElementsAre("htp", "cpu"));
  EXPECT_THAT(entry().warnings, ::testing::ElementsAre(HasSubstr("backend 'htp' is not available")));
  EXPECT_THAT(entry().decisions[0].reason, HasSubstr("backend 'htp' is not available"));
  EXPECT_EQ(entry().on_fallback, "warn");
}

TEST_F(InferNode, OnFallbackErrorRefuses) {
  const Status status =
      open(relu_model(), {{"backends", texts({"htp", "cpu"})}, {"on_fallback", text("error")}});
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("backend 'htp' is not available"));
  EXPECT_THAT(status.message(), HasSubstr("on_fallback is 'error'"));
}

TEST_F(InferNode, NoUsableBackend) {
  const Status status =
      open(relu_model(), {{"backends", texts({"htp", "gpu"})}, {"on_fallback", text("allow")}});
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(),
              HasSubstr("none of the backends htp, gpu can be used: backend 'htp' is not available"));
}

TEST_F(InferNode, UnderAnotherPolicyTheFirstDecisionIsTheSelectors) {
  ASSERT_TRUE(open(relu_model(), {{"policy", text("balanced")}}).ok());
  EXPECT_TRUE(entry().decisions.empty());
  auto& user = dynamic_cast<ModelUser&>(*node_);
  const auto loaded = user.load_on(0, services_->model("m").value(), "fake");
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  user.use(0, *loaded);
  user.note(0, Choice{.backend = "fake", .reason = "the selector's"});
  EXPECT_EQ(entry().backend, "fake");
  EXPECT_EQ(entry().decisions.at(0).reason, "the selector's");
  EXPECT_EQ(user.load_on(0, services_->model("m").value(), "htp").status().code(), Code::kUnavailable);
}

TEST_F(InferNode, TellsTheSelectorOfRunsAndFailures) {
  ASSERT_TRUE(
      open(relu_model(), {{"backends", texts({"fake"})}, {"fake", map({{"fail_at", numbers({1})}})}}).ok());
  RunMeter meter;
  int failures = 0;
  auto& user = dynamic_cast<ModelUser&>(*node_);
  user.tell(&meter, [&failures] { ++failures; });
  LoadedModel model = *user.in_use(0);
  model.candidate = 3;
  user.use(0, std::make_shared<const LoadedModel>(model));
  EXPECT_TRUE(process().ok());
  EXPECT_EQ(process().code(), Code::kFailed);
  EXPECT_EQ(failures, 1);
  const RunMeter::Period period = meter.take(3);
  EXPECT_EQ(period.runs, 1u);
  EXPECT_EQ(period.failures[3], 1u);
}

TEST_F(InferNode, TheLadderLimitsTheRateBesidesItsOwnOption) {
  ASSERT_TRUE(open(relu_model(), {{"rate_hz", {10.0}}}).ok());
  auto& user = dynamic_cast<ModelUser&>(*node_);
  const auto passed = [this](double seconds) {
    EXPECT_TRUE(process(std::vector<float>(4), from_s(seconds)).ok());
    return context_->emitted(0).size() == 1;
  };
  EXPECT_TRUE(passed(0));
  EXPECT_TRUE(passed(0.1));
  user.limit_rate(2);
  EXPECT_FALSE(passed(0.15));
  EXPECT_FALSE(passed(0.4));  // the half second from 0 has had its frame
  EXPECT_TRUE(passed(0.5));
  EXPECT_FALSE(passed(0.9));
  user.limit_rate(0);
  EXPECT_TRUE(passed(1.2));
  EXPECT_TRUE(passed(1.3));
  EXPECT_FALSE(passed(1.35));
}

TEST_F(InferNode, FakeIsLabelledAndItsFailuresCount) {
  ASSERT_TRUE(open(relu_model(), {{"backends", texts({"fake"})},
                                  {"fake", map({{"fail_at", numbers({1})}, {"hang_at", numbers({2})}})}})
                  .ok());
  EXPECT_TRUE(entry().simulated);
  EXPECT_TRUE(process().ok());
  EXPECT_EQ(process().code(), Code::kFailed);
  EXPECT_EQ(process().code(), Code::kTimeout);
  EXPECT_TRUE(context_->emitted(0).empty());
  EXPECT_TRUE(process().ok());
  EXPECT_EQ(context_->emitted(0).size(), 1u);
}

TEST_F(InferNode, NonFiniteOutputsFailTenAreABackendFailure) {
  OptionList all;
  for (std::int64_t i = 1; i < 20; ++i)
    if (i != 5) all.push_back({i});
  ASSERT_TRUE(open(relu_model(), {{"backends", texts({"fake"})}, {"fake", map({{"nan_at", {all}}})}}).ok());
  EXPECT_TRUE(process().ok());
  for (int i = 1; i < 5; ++i) {
    const Status status = process();
    EXPECT_EQ(status.code(), Code::kFailed);
    EXPECT_THAT(status.message(),
                HasSubstr("output 'y' of backend 'fake' has 4 values that are NaN or infinite"));
  }
  EXPECT_TRUE(process().ok());  // starts the count anew
  for (int i = 0; i < 9; ++i) EXPECT_EQ(process().code(), Code::kFailed) << i;
  const Status status = process();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("10 frames in a row: a failure of the backend"));
}

TEST_F(InferNode, RateFiltersByMediaTime) {
  ASSERT_TRUE(open(relu_model(), {{"rate_hz", number(15)}}).ok());
  std::vector<bool> passed;
  for (int frame = 0; frame < 8; ++frame) {
    ASSERT_TRUE(process(std::vector<float>(4), frame * 33'333'333LL).ok());
    EXPECT_NE(context_->filtered, !context_->emitted(0).empty());
    passed.push_back(!context_->filtered);
  }
  EXPECT_THAT(passed, ::testing::ElementsAre(true, false, true, false, true, false, true, false));
}

TEST_F(InferNode, EmptyPoolIsReported) {
  ASSERT_TRUE(open(relu_model()).ok());
  context_->set_output(0, tensor_port(signature_.outputs[0]), 1);
  ASSERT_TRUE(process().ok());
  const Packet held = context_->emitted(0)[0];
  EXPECT_EQ(process().code(), Code::kPoolEmpty);
}

TEST_F(InferNode, SaturationOfQuantisedInputsIsWhatTheirWritersSay) {
  ASSERT_TRUE(open(qdq_model()).ok());
  ASSERT_TRUE(process<std::uint8_t>({0, 255, 1, 2, 3, 4, 5, 6}).ok());
  EXPECT_FALSE(entry().saturated_fraction);  // integers do not tell: 255 may be what was meant
  ClipMeter& writer = services_->add_clip_meter("pre", "x");
  services_->record(entry().node)->judge_inputs_by({&writer});
  EXPECT_FALSE(entry().saturated_fraction);
  writer.add(0, 8);
  EXPECT_DOUBLE_EQ(entry().saturated_fraction.value(), 0);
  writer.add(4, 8);
  EXPECT_DOUBLE_EQ(entry().saturated_fraction.value(), 0.25);
  EXPECT_TRUE(entry().warnings.empty());
  writer.finish();
  EXPECT_THAT(entry().warnings, ::testing::ElementsAre(HasSubstr("node 'pre': 25.0 % of the values")));
}

// x -> p = Relu(x), n = -x; the outputs listed in the given order.
ModelBuilder two_outputs(const std::string& first, const std::string& second) {
  const Dims dims = {1, 4};
  return ModelBuilder()
      .input("x", dims)
      .output(first, dims)
      .output(second, dims)
      .node("Relu", {"x"}, {"p"})
      .node("Neg", {"x"}, {"n"});
}

TEST_F(InferNode, AnotherFileKeepsThePortsWhateverItsOrder) {
  ASSERT_TRUE(open(two_outputs("p", "n")).ok());
  auto* user = dynamic_cast<ModelUser*>(node_.get());
  ASSERT_TRUE(user);
  auto loaded = user->load(0, request_for(folder_.write("other.onnx", two_outputs("n", "p").bytes())));
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  EXPECT_EQ(services_->sessions().size(), 2u) << "the old one is still in use";
  EXPECT_EQ(entry().decisions.size(), 1u) << "and nothing is decided";
  user->use(0, *loaded);
  user->note(0, "because");
  EXPECT_EQ(services_->sessions().size(), 1u) << "the old one has no frame left";
  ASSERT_TRUE(process<float>({-1, 2, -3, 4}).ok());
  const auto values = [&](std::size_t port) {
    const auto* out = context_->emitted(port).at(0).get<Tensor>();
    const float* data = reinterpret_cast<const float*>(out->data);
    return std::vector<float>(data, data + 4);
  };
  EXPECT_THAT(values(0), ::testing::ElementsAre(0, 2, 0, 4));
  EXPECT_THAT(values(1), ::testing::ElementsAre(1, -2, 3, -4));
  ASSERT_EQ(entry().decisions.size(), 2u);
  EXPECT_THAT(entry().decisions[1].reason, HasSubstr("because; policy fixed"));
}

// Frames that are started beside each other may begin in another order.
TEST_F(InferNode, AChangeOfModelLiesBetweenTwoFrames) {
  const auto model = [](const char* op) {
    return ModelBuilder().input("x", {1, 4}).output("y", {1, 4}).node(op, {"x"}, {"y"});
  };
  runs_at_once_ = 2;
  ASSERT_TRUE(open(model("Identity")).ok());
  auto& user = dynamic_cast<ModelUser&>(*node_);
  const auto negative = user.load(0, request_for(folder_.write("negative.onnx", model("Neg").bytes())));
  const auto relu = user.load(0, request_for(folder_.write("relu.onnx", model("Relu").bytes())));
  ASSERT_TRUE(negative.ok() && relu.ok());
  const auto value_of_frame = [&](std::uint64_t number) {
    next_frame_ = number;
    EXPECT_TRUE(process<float>({-1, 0, 0, 0}).ok());
    return *reinterpret_cast<const float*>(context_->emitted(0).at(0).get<Tensor>()->data);
  };
  EXPECT_EQ(value_of_frame(1), -1);
  EXPECT_EQ(value_of_frame(3), -1);
  user.use(0, *negative);
  EXPECT_EQ(value_of_frame(2), -1) << "frame 3 began before";
  EXPECT_EQ(value_of_frame(4), 1);
  EXPECT_EQ(services_->sessions().size(), 3u) << "another older one might come";
  EXPECT_EQ(value_of_frame(6), 1);
  EXPECT_EQ(services_->sessions().size(), 2u) << "none can any more";
  user.use(0, *relu);
  user.use(0, *negative);
  user.use(0, *relu);
  EXPECT_EQ(value_of_frame(5), 1) << "as frame 6, not what no frame has run on";
  EXPECT_EQ(value_of_frame(7), 0);
}

TEST_F(InferNode, AQuantisedModelWithOtherNumbersIsNotTheSame) {
  ASSERT_TRUE(open(qdq_model()).ok());
  auto* user = dynamic_cast<ModelUser*>(node_.get());
  ModelBuilder other = ModelBuilder()
                           .input("x", {1, 8})
                           .output("y", {1, 8})
                           .scale("xs", 0.75f)
                           .weight(tensor<std::uint8_t>("xz", onnx::kUint8, {}, {128}))
                           .scale("ys", 0.25f)
                           .weight(tensor<std::int8_t>("yz", onnx::kInt8, {}, {-3}))
                           .node("QuantizeLinear", {"x", "xs", "xz"}, {"xq"})
                           .node("DequantizeLinear", {"xq", "xs", "xz"}, {"xd"})
                           .node("Relu", {"xd"}, {"r"})
                           .node("QuantizeLinear", {"r", "ys", "yz"}, {"yq"})
                           .node("DequantizeLinear", {"yq", "ys", "yz"}, {"y"});
  const auto loaded = user->load(0, request_for(folder_.write("other.onnx", other.bytes())));
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.status().code(), Code::kInvalid);
  EXPECT_THAT(loaded.status().message(),
              HasSubstr("'x' of the model is uint8 1x8 (scale 0.75, zero point 128), the "
                        "plan has uint8 1x8 (scale 0.5, zero point 128)"));
}

TEST_F(InferNode, SharesSessionsWithItsLikes) {
  ASSERT_TRUE(open(relu_model()).ok());
  EXPECT_EQ(services_->sessions().size(), 1u);
  EXPECT_TRUE(node_->close().ok());
  EXPECT_EQ(services_->sessions().size(), 0u);
}

TEST(InferDeclaration, ThreadFollowsTheBackends) {
  const NodeDeclaration d = declaration();
  const auto thread = [&d](OptionMap written) { return d.choose_thread(*options_of(d, std::move(written))); };
  EXPECT_EQ(thread({}), ThreadKind::kWorker);
  EXPECT_EQ(thread({{"backends", texts({"fake"})}}), ThreadKind::kLane);
  EXPECT_EQ(thread({{"backends", texts({"htp", "cpu"})}}), ThreadKind::kLane);
  EXPECT_EQ(thread({{"batch", map({{"max", integer(4)}})}}), ThreadKind::kLane);
}

TEST(InferTypes, OutputsAreTheModels) {
  const NodeDeclaration d = declaration();
  FakeTypes types(options_of(d));
  const TensorType in{
      .name = "x", .dtype = DType::kFloat32, .shape = {1, 4}, .layout = Layout::kNone, .quant = {}};
  const TensorType out{
      .name = "Identity:0", .dtype = DType::kFloat32, .shape = {1, 2}, .layout = Layout::kNone, .quant = {}};
  types.models["model"] = {.name = "m", .variant = {}, .inputs = {in}, .outputs = {out}};
  types.ports = {{tensor_port(in)}};
  types.names = {{"whatever"}};
  const auto ports = d.infer_types(types);
  ASSERT_TRUE(ports.ok()) << ports.status().message();
  ASSERT_EQ(ports->size(), 1u);
  EXPECT_EQ((*ports)[0].name, "Identity:0");
  EXPECT_EQ((*ports)[0].tensor->shape, (Shape{1, 2}));
}

TEST(InferTypes, WrongShapeAndBatch) {
  const NodeDeclaration d = declaration();
  FakeTypes types(options_of(d, {{"batch", map({{"max", integer(4)}})}}));
  TensorType in{.name = "x", .dtype = DType::kFloat32, .shape = {1, 4}, .layout = Layout::kNone, .quant = {}};
  types.models["model"] = {.name = "m", .variant = {}, .inputs = {in}, .outputs = {in}};
  types.ports = {{tensor_port(in)}};
  EXPECT_EQ(d.infer_types(types).status().code(), Code::kUnavailable);
  EXPECT_THAT(d.infer_types(types).status().message(),
              HasSubstr("batch.max is 4, but model 'm' has no free first dimension"));
  in.shape = {1, 5};
  types.ports = {{tensor_port(in)}};
  EXPECT_THAT(d.infer_types(types).status().message(),
              HasSubstr("input 'x' takes float32 1x4, it gets float32 1x5"));
}

TEST(InferInputs, MatchedByNameOrPlace) {
  const std::vector<TensorType> two = {{.name = "a"}, {.name = "b"}};
  using Edges = std::vector<std::size_t>;
  EXPECT_EQ(*match_inputs(two, {"b", "a"}), (Edges{1, 0}));
  EXPECT_EQ(*match_inputs(two, {"", ""}), (Edges{0, 1}));
  EXPECT_THAT(match_inputs(two, {"a"}).status().message(),
              HasSubstr("the model takes 2 input(s) (a, b), 1 are connected"));
  EXPECT_THAT(match_inputs(two, {"a", "c"}).status().message(),
              HasSubstr("the model has no input 'c', allowed: a, b"));
  EXPECT_THAT(match_inputs(two, {"a", "a"}).status().message(),
              HasSubstr("input 'a' of the model is connected twice"));
}

TEST(TensorChecks, CountNonFiniteAndEnds) {
  const auto filled = [](DType dtype, const auto& values) {
    OwnTensor own({.name = {},
                   .dtype = dtype,
                   .shape = {static_cast<std::int64_t>(values.size())},
                   .layout = Layout::kNone,
                   .quant = {}});
    own.set(values);
    return own;
  };
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(
      count_non_finite(DType::kFloat32,
                       filled(DType::kFloat32, std::vector<float>{1, inf, -inf, NAN, 3e38f, -0.0f}).tensor),
      3u);
  EXPECT_EQ(
      count_non_finite(DType::kFloat16,
                       filled(DType::kFloat16, std::vector<std::uint16_t>{0x7c00, 0xfc01, 0x7bff}).tensor),
      2u);
  EXPECT_EQ(count_non_finite(DType::kFloat64, filled(DType::kFloat64, std::vector<double>{1, NAN}).tensor),
            1u);
  EXPECT_EQ(count_non_finite(DType::kInt8, filled(DType::kInt8, std::vector<std::int8_t>{-1}).tensor), 0u);
}

}  // namespace
}  // namespace sluice
