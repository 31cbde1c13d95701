#include "tests/backends/gpu/zoo.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <random>
#include <sstream>

namespace sluice::testing {
namespace {

const std::string kLight = "data/light-models/";  // files without weights

// Which node reads a weight, and where.
struct Use {
  std::string op;
  int index = 0;
};

std::map<std::string, Use> first_uses(const onnx::GraphProto& graph) {
  std::map<std::string, Use> out;
  for (const auto& node : graph.node())
    for (int i = 0; i < node.input_size(); ++i) out.try_emplace(node.input(i), Use{node.op_type(), i});
  return out;
}

// In the range that a trained network has: activations neither vanish nor explode over the layers.
std::vector<float> weights_for(const Use& use, const std::vector<std::int64_t>& dims, std::mt19937& random) {
  std::size_t count = 1;
  for (const std::int64_t dim : dims) count *= static_cast<std::size_t>(dim);
  std::vector<float> out(count);
  if (dims.size() >= 2) {  // of a convolution, or of Gemm with transposed B
    const double fan_in = static_cast<double>(count) / static_cast<double>(dims[0]);
    std::normal_distribution<float> normal(0, static_cast<float>(std::sqrt(1.5 / fan_in)));
    for (float& value : out) value = normal(random);
    return out;
  }
  const bool factor = use.op == "BatchNormalization" && (use.index == 1 || use.index == 4);
  const bool scale = factor || use.op == "Unsqueeze";
  std::uniform_real_distribution<float> uniform(scale ? 0.7F : -0.1F, scale ? 1.2F : 0.1F);
  for (float& value : out) value = uniform(random);
  return out;
}

// Every ConstantOfShape becomes a constant; shapes stand in initializers.
void fill_weights(onnx::GraphProto& graph) {
  std::mt19937 random(20);
  const auto uses = first_uses(graph);
  std::map<std::string, std::vector<std::int64_t>> shapes;
  for (const auto& tensor : graph.initializer()) {
    std::vector<std::int64_t> dims(tensor.int64_data().begin(), tensor.int64_data().end());
    if (dims.empty() && tensor.data_type() == onnx::TensorProto::INT64) {
      dims.resize(tensor.raw_data().size() / sizeof(std::int64_t));
      std::copy_n(tensor.raw_data().data(), dims.size() * sizeof(std::int64_t),
                  reinterpret_cast<char*>(dims.data()));
    }
    shapes[tensor.name()] = dims;
  }
  onnx::GraphProto kept;
  for (auto& node : *graph.mutable_node()) {
    if (node.op_type() != "ConstantOfShape") {
      *kept.add_node() = std::move(node);
      continue;
    }
    const auto& dims = shapes.at(node.input(0));
    const auto use = uses.find(node.output(0));
    const auto values = weights_for(use == uses.end() ? Use{} : use->second, dims, random);
    onnx::TensorProto& tensor = *graph.add_initializer();
    tensor.set_name(node.output(0));
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    for (const std::int64_t dim : dims) tensor.add_dims(dim);
    tensor.set_raw_data(values.data(), values.size() * sizeof(float));
  }
  graph.mutable_node()->Swap(kept.mutable_node());
}

// One input, of these dimensions: constants that the file also lists as inputs are none.
void fix_input(onnx::GraphProto& graph, const std::vector<std::int64_t>& dims) {
  onnx::ValueInfoProto input;
  for (const auto& candidate : graph.input())
    if (std::ranges::none_of(graph.initializer(),
                             [&](const auto& c) { return c.name() == candidate.name(); }))
      input = candidate;
  auto& shape = *input.mutable_type()->mutable_tensor_type()->mutable_shape();
  shape.clear_dim();
  for (const std::int64_t dim : dims) shape.add_dim()->set_dim_value(dim);
  graph.clear_input();
  *graph.add_input() = input;
  // What was derived from the open shape says nothing.
  graph.clear_value_info();
  for (auto& output : *graph.mutable_output()) output.mutable_type()->mutable_tensor_type()->clear_shape();
}

// A page with lines of strokes over faint noise: in noise alone a detector of text finds nothing, and gives
// numbers below 0.001 everywhere.
void draw_lines(const std::vector<std::int64_t>& dims, std::vector<float>& values) {
  const std::int64_t height = dims[2], width = dims[3];
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const std::int64_t y = at / width % height, x = at % width;
    const bool stroke = y / 24 % 3 == 1 && x / 4 % 3 == 0 && x > 40 && x < 280;
    values[i] = (stroke ? -1.0F : 1.0F) + 0.02F * values[i];
  }
}

}  // namespace

std::vector<ZooModel> zoo() {
  const std::string faces = "data/models/face_detection_", text = "data/ocr-models/",
                    light = kLight + "light_";
  return {{"BlazeFace128", faces + "front_128x128.onnx", {1, 128, 128, 3}},
          {"BlazeFace256", faces + "back_256x256.onnx", {1, 256, 256, 3}},
          {"TextDirection", text + "ch_ppocr_mobile_v2.0_cls_infer.onnx", {1, 3, 48, 192}},
          {"TextRecognition", text + "ch_PP-OCRv4_rec_infer.onnx", {1, 3, 48, 320}},
          {"TextDetection", text + "ch_PP-OCRv4_det_infer.onnx", {1, 3, 320, 320}},
          {"ShuffleNet", light + "shufflenet.onnx", {1, 3, 224, 224}},
          {"SqueezeNet", light + "squeezenet.onnx", {1, 3, 224, 224}},
          {"DenseNet121", light + "densenet121.onnx", {1, 3, 224, 224}},
          {"ResNet50", light + "resnet50.onnx", {1, 3, 224, 224}}};
}

std::string zoo_bytes(const ZooModel& model) {
  std::ostringstream file;
  file << std::ifstream(model.path, std::ios::binary).rdbuf();
  onnx::ModelProto proto;
  if (file.str().empty() || !proto.ParseFromString(file.str())) return {};
  if (model.path.starts_with(kLight)) fill_weights(*proto.mutable_graph());
  fix_input(*proto.mutable_graph(), model.input);
  proto.set_ir_version(std::max<std::int64_t>(proto.ir_version(), 7));
  return proto.SerializeAsString();
}

HostTensor zoo_input(const ZooModel& model, const std::string& name, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::size_t count = 1;
  for (const std::int64_t dim : model.input) count *= static_cast<std::size_t>(dim);
  std::vector<float> values(count);
  for (float& value : values) value = uniform(random);
  if (model.name == "TextDetection") draw_lines(model.input, values);
  return HostTensor::floats(name, model.input, values);
}

}  // namespace sluice::testing
