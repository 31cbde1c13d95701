#include "tests/backends/gpu/onnx_case.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

namespace sluice::testing {
namespace {

namespace fs = std::filesystem;

std::string bytes_of(const fs::path& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

template <typename T, typename List>
void append(std::vector<std::byte>& data, const List& list) {
  for (const auto& element : list) {
    const T value = static_cast<T>(element);
    const auto* start = reinterpret_cast<const std::byte*>(&value);
    data.insert(data.end(), start, start + sizeof value);
  }
}

std::optional<HostTensor> tensor_of(const onnx::TensorProto& proto) {
  HostTensor out{.name = proto.name(), .dims = {proto.dims().begin(), proto.dims().end()}};
  out.type = static_cast<ONNXTensorElementDataType>(proto.data_type());  // the same numbers
  const std::string& raw = proto.raw_data();
  if (!raw.empty()) {
    const auto* start = reinterpret_cast<const std::byte*>(raw.data());
    out.data.assign(start, start + raw.size());
    return out;
  }
  switch (proto.data_type()) {
    case onnx::TensorProto::FLOAT:
      append<float>(out.data, proto.float_data());
      return out;
    case onnx::TensorProto::INT64:
      append<std::int64_t>(out.data, proto.int64_data());
      return out;
    case onnx::TensorProto::INT32:
      append<std::int32_t>(out.data, proto.int32_data());
      return out;
    case onnx::TensorProto::UINT8:
    case onnx::TensorProto::INT8:
    case onnx::TensorProto::BOOL:
      append<std::uint8_t>(out.data, proto.int32_data());
      return out;
    case onnx::TensorProto::FLOAT16:
      append<std::uint16_t>(out.data, proto.int32_data());
      return out;
    default:
      return std::nullopt;
  }
}

bool read_tensors(const fs::path& folder, const std::string& kind,
                  const google::protobuf::RepeatedPtrField<onnx::ValueInfoProto>& values,
                  std::vector<HostTensor>& out) {
  for (int i = 0; i < values.size(); ++i) {
    onnx::TensorProto proto;
    if (!proto.ParseFromString(bytes_of(folder / (kind + "_" + std::to_string(i) + ".pb")))) return false;
    auto tensor = tensor_of(proto);
    if (!tensor) return false;
    tensor->name = values[i].name();
    out.push_back(std::move(*tensor));
  }
  return true;
}

bool is_static(const onnx::ValueInfoProto& value) {
  const auto& shape = value.type().tensor_type().shape();
  return value.type().has_tensor_type() && std::ranges::all_of(shape.dim(), [](const auto& dim) {
           return dim.has_dim_value() && dim.dim_value() > 0;
         });
}

// Converts what it computes: only float32 counts as the other side.
bool stored_type(const onnx::GraphProto& graph) {
  const auto of = [](const onnx::ValueInfoProto& value) { return value.type().tensor_type().elem_type(); };
  const auto small = [](int type) {
    return type == onnx::TensorProto::UINT8 || type == onnx::TensorProto::INT8 ||
           type == onnx::TensorProto::BOOL || type == onnx::TensorProto::FLOAT16;
  };
  const std::string& op = graph.node(0).op_type();
  const bool converts = op == "Cast" || op == "QuantizeLinear" || op == "DequantizeLinear";
  const int in = of(graph.input(0));
  const int out = of(graph.output(0));
  if (converts)
    return (in == onnx::TensorProto::FLOAT && (small(out) || out == in)) ||
           (out == onnx::TensorProto::FLOAT && small(in));
  return in == onnx::TensorProto::FLOAT && out == onnx::TensorProto::FLOAT;
}

std::optional<OnnxCase> read_case(const fs::path& folder, const std::set<std::string>& operators) {
  onnx::ModelProto model;
  OnnxCase out;
  out.model = bytes_of(folder / "model.onnx");
  if (!model.ParseFromString(out.model) || model.graph().input_size() == 0) return std::nullopt;
  const onnx::GraphProto& graph = model.graph();
  for (const auto& node : graph.node()) {
    if (!operators.contains(node.op_type()) || (!node.domain().empty() && node.domain() != "ai.onnx"))
      return std::nullopt;
    out.operators.insert(node.op_type());
  }
  if (!std::ranges::all_of(graph.input(), is_static) || !std::ranges::all_of(graph.output(), is_static))
    return std::nullopt;
  if (graph.node_size() == 0 || !stored_type(graph)) return std::nullopt;
  const fs::path data = folder / "test_data_set_0";
  if (!read_tensors(data, "input", graph.input(), out.inputs) ||
      !read_tensors(data, "output", graph.output(), out.outputs))
    return std::nullopt;
  out.name = folder.filename().string().substr(5);
  return out;
}

}  // namespace

std::vector<OnnxCase> read_cases(const std::string& folder, const std::set<std::string>& operators) {
  std::vector<OnnxCase> out;
  for (const auto& entry : fs::directory_iterator(folder))
    if (auto test = read_case(entry.path(), operators)) out.push_back(std::move(*test));
  std::ranges::sort(out, {}, &OnnxCase::name);
  return out;
}

OnnxCase with_constants(const OnnxCase& test) {
  OnnxCase out = test;
  onnx::ModelProto model;
  model.ParseFromString(test.model);
  onnx::GraphProto& graph = *model.mutable_graph();
  for (std::size_t i = 1; i < test.inputs.size(); ++i) {
    const HostTensor& input = test.inputs[i];
    onnx::TensorProto& constant = *graph.add_initializer();
    constant.set_name(input.name);
    constant.set_data_type(static_cast<int>(input.type));
    for (const std::int64_t dim : input.dims) constant.add_dims(dim);
    constant.set_raw_data(input.data.data(), input.data.size());
  }
  graph.mutable_input()->DeleteSubrange(1, graph.input_size() - 1);
  out.inputs.resize(1);
  out.model = model.SerializeAsString();
  return out;
}

}  // namespace sluice::testing
