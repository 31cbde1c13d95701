#include "quantize/quantizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <set>

#include "quantize/float_model.h"
#include "quantize/network.h"
#include "tests/quantize/models.h"
#include "tests/runtime/file_limit.h"

namespace sluice::quantize {
namespace {

namespace fs = std::filesystem;
using namespace testing;  // NOLINT: the helpers of these tests
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class QuantizerTest : public ::testing::Test {
 public:
  ~QuantizerTest() override { fs::remove_all(folder_); }

 protected:
  QuantizerTest() : folder_(fs::path(::testing::TempDir()) / ("quantizer_" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
  }
  std::string save(const pb::ModelProto& model, const std::string& name = "model.onnx") const {
    const std::string path = (folder_ / name).string();
    std::ofstream file(path, std::ios::binary);
    model.SerializeToOstream(&file);
    return path;
  }
  fs::path folder_;
};

// x [N,2,4,4] -> Conv -> BatchNormalization -> Relu -> y, as exporters write it: opset 11, a free batch.
NetworkBuilder exported() {
  NetworkBuilder b(11);
  b.input("x", {1, 2, 4, 4}).random("w", {3, 2, 3, 3}, 1).output("y", {1, 3, 2, 2});
  b.model.mutable_graph()
      ->mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(0)
      ->set_dim_param("N");
  b.random("gamma", {3}, 2).random("beta", {3}, 3).random("mean", {3}, 4).weight("variance", {3}, {1, 2, 3});
  b.node("Conv", {"x", "w"}, {"c"});
  b.node("BatchNormalization", {"c", "gamma", "beta", "mean", "variance"}, {"n"});
  b.node("Relu", {"n"}, {"y"});
  return b;
}

TEST_F(QuantizerTest, NamesTheFirstTensorThatIsNotFinite) {
  NetworkBuilder b;
  b.input("x", {1, 4}).output("y", {1, 4}).weight("k", {}, {2});
  b.node("Sqrt", {"x"}, {"root"});
  b.node("Mul", {"root", "k"}, {"y"});
  const auto quantizer = open_quantizer(save(b.model), {});
  ASSERT_TRUE(quantizer.ok()) << quantizer.status().message();
  RandomSamples samples({1, 4}, 3, 1);
  const auto outcome = (*quantizer)->quantize({}, samples, {});
  EXPECT_THAT(outcome.status().message(), HasSubstr("tensor 'root' holds NaN or infinity in sample 0"));
}

TEST_F(QuantizerTest, AFullTemporaryFolderIsNotTheModelsFault) {
  const std::string path = save(exported().model);
  const sluice::testing::FileLimit full(1);
  const auto quantizer = open_quantizer(path, {});
  EXPECT_EQ(quantizer.status().code(), Code::kFailed);
  EXPECT_THAT(quantizer.status().message(),
              HasSubstr("no room for the simplified model in the folder for temporary files (TMPDIR)"));
}

// As detection heads do, which run over several sizes.
TEST_F(QuantizerTest, LayersThatShareWeightsRunOptimised) {
  NetworkBuilder b;
  b.input("x", {1, 2, 4, 4}).random("w", {2, 2, 1, 1}, 1).random("b", {2}, 2).output("y", {1, 2, 4, 4});
  b.node("Conv", {"x", "w", "b"}, {"c"});
  b.node("Relu", {"c"}, {"r"});
  b.node("Conv", {"r", "w", "b"}, {"y"});
  const auto quantizer = open_quantizer(save(b.model), {});
  ASSERT_TRUE(quantizer.ok()) << quantizer.status().message();
  RandomSamples samples({1, 2, 4, 4}, 3, 1);
  const auto outcome = (*quantizer)->quantize({}, samples, {});
  ASSERT_TRUE(outcome.ok()) << outcome.status().message();
  const std::vector<float> x = some_numbers({1, 2, 4, 4}, 3);
  const ort::ArrayView input{
      DType::kFloat32, {1, 2, 4, 4}, reinterpret_cast<const std::byte*>(x.data()), x.size() * sizeof(float)};
  std::vector<std::vector<float>> results;
  for (const auto effort : {ort::Evaluator::Effort::kAsWritten, ort::Evaluator::Effort::kOptimised}) {
    const auto evaluator = ort::Evaluator::open(outcome->model, effort);
    ASSERT_TRUE(evaluator.ok()) << evaluator.status().message();
    const auto arrays = (*evaluator)->run(std::vector<ort::ArrayView>{input});
    ASSERT_TRUE(arrays.ok()) << arrays.status().message();
    results.emplace_back((*arrays)[0].floats().begin(), (*arrays)[0].floats().end());
  }
  EXPECT_EQ(results[0], results[1]);
}

// What ONNX Runtime takes as floats it must take as integers.
TEST_F(QuantizerTest, NormalisedPlanesAndDilatedPoolsRunOptimised) {
  const Dims dims = {1, 2, 4, 4};
  NetworkBuilder planes(19);
  planes.input("x", dims)
      .weight("g", {4, 4}, std::vector<float>(16, 0.5f))
      .random("b", {4, 4}, 2)
      .output("y", dims);
  set_attribute(planes.node("LayerNormalization", {"x", "g", "b"}, {"y"}), "axis", std::int64_t{2});
  std::vector<pb::ModelProto> models = {planes.model};
  for (const std::int64_t dilation : {1, 2}) {
    NetworkBuilder pool(19);
    pool.input("x", dims).value("r", dims).output("y", {1, 2, 4 - dilation, 4 - dilation});
    pool.node("Sigmoid", {"x"}, {"r"});
    pb::NodeProto& node = pool.node("AveragePool", {"r"}, {"y"});
    add_ints(node, "kernel_shape", {2, 2});
    add_ints(node, "dilations", {dilation, dilation});
    models.push_back(pool.model);
  }
  const std::vector<float> x = some_numbers(dims, 3);
  for (const pb::ModelProto& model : models) {
    const auto quantizer = open_quantizer(save(model), {});
    ASSERT_TRUE(quantizer.ok()) << quantizer.status().message();
    for (const char* const scheme : {"w8a8", "w8a16"}) {
      RandomSamples samples(dims, 3, 1);
      const auto outcome = (*quantizer)->quantize({.scheme = scheme}, samples, {});
      ASSERT_TRUE(outcome.ok()) << outcome.status().message();
      const auto evaluator = ort::Evaluator::open(outcome->model, ort::Evaluator::Effort::kOptimised);
      ASSERT_TRUE(evaluator.ok()) << evaluator.status().message();
      const ort::ArrayView input{DType::kFloat32, dims, reinterpret_cast<const std::byte*>(x.data()),
                                 x.size() * sizeof(float)};
      const auto arrays = (*evaluator)->run(std::vector<ort::ArrayView>{input});
      EXPECT_TRUE(arrays.ok()) << arrays.status().message();
    }
  }
}

TEST_F(QuantizerTest, FoldsRaisesAndQuantises) {
  const auto quantizer = open_quantizer(save(exported().model), {});
  ASSERT_TRUE(quantizer.ok()) << quantizer.status().message();
  ASSERT_EQ((*quantizer)->inputs().size(), 1u);
  EXPECT_EQ((*quantizer)->inputs()[0].shape, (Dims{1, 2, 4, 4}));
  for (const auto& [scheme, opset] : {std::pair{"w8a8", 13}, std::pair{"w8a16", 21}}) {
    RandomSamples samples({1, 2, 4, 4}, 5, 9);
    std::vector<std::size_t> progress;
    const auto outcome =
        (*quantizer)->quantize({.scheme = scheme, .metadata = {{"k", "v"}}}, samples, [&](std::size_t done) {
          progress.push_back(done);
        });
    ASSERT_TRUE(outcome.ok()) << outcome.status().message();
    EXPECT_THAT(progress, ::testing::ElementsAre(1, 2, 3, 4, 5));
    EXPECT_EQ(outcome->samples, 5u);
    EXPECT_EQ(outcome->operators, 1) << "normalisation and Relu are gone";
    EXPECT_EQ(outcome->quantised_operators, 1);
    pb::ModelProto model;
    ASSERT_TRUE(model.ParseFromString(outcome->model));
    EXPECT_EQ(model.opset_import_size(), 1);
    EXPECT_EQ(model.opset_import(0).version(), opset);
    EXPECT_EQ(model.metadata_props(0).value(), "v");
    const auto network = open_network(save(model, "q.onnx"), {});
    ASSERT_TRUE(network.ok()) << network.status().message();
    EXPECT_EQ((*network)->note("k"), "v");
  }
}

std::string without_width(std::string encodings) {
  const std::size_t at = encodings.find("\"activation_bitwidth\"");
  EXPECT_NE(at, std::string::npos);
  return encodings.erase(at, encodings.find(',', at) + 1 - at);
}

// The width that the entries have counts, whether the file says it or not.
TEST_F(QuantizerTest, TheSchemeIsNamedByWhatTheEncodingsMadeOfIt) {
  const auto quantizer = open_quantizer(save(exported().model), {});
  ASSERT_TRUE(quantizer.ok());
  const auto quantize = [&](const std::string& scheme, const std::string& encodings) {
    RandomSamples samples({1, 2, 4, 4}, 5, 9);
    return (*quantizer)
        ->quantize({.scheme = scheme, .encodings = encodings, .encodings_path = "e.json"}, samples, {});
  };
  const auto first = quantize("w8a16", {});
  ASSERT_TRUE(first.ok()) << first.status().message();
  const std::string silent = without_width(first->encodings);
  for (const std::string& encodings : {first->encodings, silent}) {
    const auto again = quantize("", encodings);
    ASSERT_TRUE(again.ok()) << again.status().message();
    EXPECT_EQ(again->scheme, "w8a16");
    EXPECT_THAT(again->model, HasSubstr("w8a16 per channel"));
    EXPECT_TRUE(quantize("w8a16", encodings).ok());
  }
  EXPECT_THAT(quantize("w8a8", silent).status().message(),
              HasSubstr("e.json gives every activation 16 bits, but --scheme is 'w8a8'"));
  EXPECT_THAT(quantize("w8a8", first->encodings).status().message(),
              HasSubstr("activation_bitwidth is 16, but --scheme is 'w8a8'"));
  const std::string part = R"({"activation_encodings": {"x": [{"bitwidth": 16, "min": -1.0, "max": 1.0}]}})";
  const auto mixed = quantize("w8a8", part);
  ASSERT_TRUE(mixed.ok()) << mixed.status().message();
  EXPECT_EQ(mixed->scheme, "mixed");
}

// Types of the zero points, which are those of the integers.
std::set<int> activation_types(const std::string& bytes) {
  pb::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(bytes));
  std::set<std::string> points;
  for (const pb::NodeProto& node : model.graph().node())
    if (node.op_type() == "QuantizeLinear") points.insert(node.input(2));
  std::set<int> out;
  for (const pb::TensorProto& tensor : model.graph().initializer())
    if (points.contains(tensor.name())) out.insert(tensor.data_type());
  return out;
}

TEST_F(QuantizerTest, TheEncodingsFileSaysTheWidthOfWhatItDoesNotList) {
  const auto quantizer = open_quantizer(save(exported().model), {});
  ASSERT_TRUE(quantizer.ok());
  const auto quantize = [&](const std::string& scheme, int bits) {
    Request request{.scheme = scheme, .encodings = {}, .encodings_path = "e.json"};
    request.encodings =
        R"({"activation_bitwidth": )" + std::to_string(bits) + R"(, "activation_encodings": {}})";
    request.min_snr = scheme == "mixed" ? std::optional(10.0) : std::nullopt;
    RandomSamples samples({1, 2, 4, 4}, 5, 9);
    return (*quantizer)->quantize(request, samples, {});
  };
  const auto wide = quantize("", 16), narrow = quantize("", 8);
  ASSERT_TRUE(wide.ok() && narrow.ok()) << wide.status().message() << narrow.status().message();
  EXPECT_EQ(activation_types(wide->model), std::set<int>{pb::TensorProto::UINT16});
  EXPECT_EQ(wide->scheme, "w8a16");
  EXPECT_THAT(wide->notes,
              Contains("e.json: activation_bitwidth is 16: so have all activations without an entry"));
  EXPECT_THAT(wide->model, HasSubstr("w8a16 per channel"));
  EXPECT_EQ(activation_types(narrow->model), std::set<int>{pb::TensorProto::UINT8});
  EXPECT_THAT(narrow->notes, IsEmpty());
  EXPECT_TRUE(quantize("w8a16", 16).ok());
  EXPECT_TRUE(quantize("mixed", 8).ok());
  EXPECT_EQ(
      quantize("w8a16", 8).status().message(),
      "e.json: activation_bitwidth is 8, but --scheme is 'w8a16', whose activations have 16; leave one of "
      "them out");
  EXPECT_EQ(
      quantize("mixed", 16).status().message(),
      "e.json: activation_bitwidth is 16, but --scheme is 'mixed', whose activations start with 8; leave "
      "one of them out");
}

TEST_F(QuantizerTest, TheSameDataGiveTheSameBytes) {
  const auto quantizer = open_quantizer(save(exported().model), {});
  ASSERT_TRUE(quantizer.ok());
  RandomSamples samples({1, 2, 4, 4}, 5, 9);
  const auto a = (*quantizer)->quantize({}, samples, {});
  const auto b = (*quantizer)->quantize({}, samples, {});
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(a->model, b->model);
}

TEST_F(QuantizerTest, AQuantisedModelIsRefused) {
  const auto quantizer = open_quantizer(save(exported().model), {});
  ASSERT_TRUE(quantizer.ok());
  RandomSamples samples({1, 2, 4, 4}, 1, 9);
  const auto outcome = (*quantizer)->quantize({}, samples, {});
  ASSERT_TRUE(outcome.ok());
  pb::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(outcome->model));
  const auto again = open_quantizer(save(model, "q.onnx"), {});
  EXPECT_EQ(again.status().code(), Code::kUnavailable);
  EXPECT_THAT(again.status().message(),
              HasSubstr("is quantised already (4 DequantizeLinear, 2 QuantizeLinear)"));
}

TEST_F(QuantizerTest, NotANumberIsNamedWithItsSample) {
  class Bad final : public Samples {
   public:
    Status for_each(const std::function<Status(const Sample&)>& visit) override {
      std::vector<float> values(32, 0.5f);
      for (int s = 0; s < 3; ++s) {
        if (s == 2) values[7] = std::numeric_limits<float>::quiet_NaN();
        SLUICE_RETURN_IF_ERROR(visit(
            {{"x", DType::kFloat32, {1, 2, 4, 4}, reinterpret_cast<const std::byte*>(values.data()), 128}}));
      }
      return {};
    }
    std::optional<std::size_t> count() const override { return 3; }
  };
  const auto quantizer = open_quantizer(save(exported().model), {});
  ASSERT_TRUE(quantizer.ok());
  Bad samples;
  const auto outcome = (*quantizer)->quantize({}, samples, {});
  EXPECT_EQ(outcome.status().code(), Code::kInvalid);
  EXPECT_THAT(outcome.status().message(), HasSubstr("tensor 'x' holds NaN or infinity in sample 2"));
}

TEST_F(QuantizerTest, SamplesOfTheWrongSizeAndNone) {
  const auto quantizer = open_quantizer(save(exported().model), {});
  ASSERT_TRUE(quantizer.ok());
  RandomSamples wrong({1, 2, 4, 5}, 1, 9), none({1, 2, 4, 4}, 0, 9);
  EXPECT_EQ((*quantizer)->quantize({}, wrong, {}).status().message(),
            "input 'x' is 1x2x4x4, the data give 1x2x4x5");
  EXPECT_EQ((*quantizer)->quantize({}, none, {}).status().message(), "the calibration data hold no sample");
}

TEST_F(QuantizerTest, ShapesAreFixedOrAskedFor) {
  NetworkBuilder b(13);
  b.input("x", {1, 3, 4, 4}).output("y", {1, 3, 4, 4});
  auto& shape =
      *b.model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
  shape.mutable_dim(2)->set_dim_param("H");
  shape.mutable_dim(3)->set_dim_param("W");
  b.node("Relu", {"x"}, {"y"});
  const std::string path = save(b.model);
  EXPECT_THAT(open_quantizer(path, {}).status().message(),
              HasSubstr("dimension 2 of input 'x' is not fixed; give the whole shape with --shape x=1x..."));
  const auto fixed = open_quantizer(path, {{"x", {1, 3, 8, 6}}});
  ASSERT_TRUE(fixed.ok()) << fixed.status().message();
  EXPECT_EQ((*fixed)->inputs()[0].shape, (Dims{1, 3, 8, 6}));
  EXPECT_THAT(open_quantizer(path, {{"x", {1, 4, 8, 6}}}).status().message(),
              HasSubstr("dimension 1 of 'x' as 4, it is 3"));
  EXPECT_THAT(open_quantizer(path, {{"x", {1, 3, 8}}}).status().message(),
              HasSubstr("3 dimensions (1x3x8), the model has 4"));
  EXPECT_THAT(open_quantizer(path, {{"z", {1}}}).status().message(),
              HasSubstr("--shape names 'z', the model's inputs are: x"));
}

// Counting, measuring layer by layer, judging, writing: whenever the interruption comes, there is no model.
TEST_F(QuantizerTest, AnInterruptionEndsEveryPhase) {
  const auto quantizer = open_quantizer(save(exported().model), {{"x", {1, 2, 4, 4}}});
  ASSERT_TRUE(quantizer.ok());
  RandomSamples samples({1, 2, 4, 4}, 8, 9);
  int asked = 0, last = -1;
  Request request;
  request.scheme = "mixed";
  request.min_snr = 200;
  request.interrupted = [&] { return asked++ == last; };
  ASSERT_TRUE((*quantizer)->quantize(request, samples, {}).ok());
  ASSERT_GT(asked, 12);  // more than once per sample
  for (const int end = asked; ++last < end;) {
    asked = 0;
    const auto outcome = (*quantizer)->quantize(request, samples, {});
    EXPECT_EQ(outcome.status().code(), Code::kCancelled) << last << " of " << end;
    EXPECT_EQ(asked, last + 1);
  }
}

TEST_F(QuantizerTest, LayersOfAQuantisedModelMatchTheFloatOnes) {
  NetworkBuilder b(13);
  b.input("x", {1, 4}).value("n", {1, 4}).output("y", {1, 4});
  b.node("Neg", {"x"}, {"n"});
  b.node("Abs", {"n"}, {"y"});
  const std::string path = save(b.model);
  const auto quantizer = open_quantizer(path, {});
  ASSERT_TRUE(quantizer.ok());
  RandomSamples samples({1, 4}, 3, 9);
  const auto outcome = (*quantizer)->quantize({}, samples, {});
  ASSERT_TRUE(outcome.ok());
  pb::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(outcome->model));
  const auto quantised = open_network(save(model, "q.onnx"), {});
  const auto network = open_network(path, {});
  ASSERT_TRUE(quantised.ok() && network.ok());
  ASSERT_EQ((*network)->layers().size(), 1u);
  ASSERT_EQ((*quantised)->layers().size(), 1u);
  EXPECT_EQ((*network)->layers()[0].name, "n");
  EXPECT_EQ((*network)->layers()[0].tensor, "n");
  EXPECT_EQ((*quantised)->layers()[0].name, "n");
  EXPECT_EQ((*quantised)->layers()[0].tensor, "n_dq");
}

// Integers that a network works with are its input's type; those that stand for numbers are taken, too.
TEST_F(QuantizerTest, TellsIntegersFromQuantisedNumbers) {
  NetworkBuilder b;
  b.input("i", {1, 2}, pb::TensorProto::INT32).input("q", {1, 2}, pb::TensorProto::UINT8);
  b.weight("scale", {}, {0.5f}).output("y", {1, 2});
  add_int(b.node("Cast", {"i"}, {"f"}), "to", pb::TensorProto::FLOAT);
  b.node("DequantizeLinear", {"q", "scale"}, {"d"});
  b.node("Add", {"f", "d"}, {"y"});
  const auto network = open_network(save(b.model), {});
  ASSERT_TRUE(network.ok()) << network.status().message();
  const std::vector<InputInfo>& inputs = (*network)->inputs();
  ASSERT_EQ(inputs.size(), 2u);
  EXPECT_EQ(inputs[0].dtype, DType::kInt32);
  EXPECT_EQ(inputs[0].also, std::nullopt);
  EXPECT_EQ(inputs[1].dtype, DType::kFloat32);
  EXPECT_EQ(inputs[1].also, DType::kUint8);
  pb::ModelProto shell;
  ASSERT_TRUE(shell.ParseFromString(shell_model(inputs)));
  EXPECT_EQ(shell.graph().input(0).type().tensor_type().elem_type(), pb::TensorProto::INT32);
  EXPECT_EQ(shell.graph().input(1).type().tensor_type().elem_type(), pb::TensorProto::FLOAT);
}

}  // namespace
}  // namespace sluice::quantize
