#include "quantize/turn_gemm.h"

#include <string>
#include <utility>
#include <vector>

#include "quantize/graph_index.h"
#include "quantize/tensor_data.h"

namespace sluice::quantize {
namespace {

float factor_of(const pb::NodeProto& node, std::string_view name) {
  const pb::AttributeProto* const attribute = find_attribute(node, name);
  return attribute ? attribute->f() : 1.0f;
}

// y = alpha A' B' + beta C as y = (B'^T W)^T + beta C, with W = alpha A'^T (' where the Gemm transposes).
class GemmTurner {
 public:
  GemmTurner(pb::GraphProto& graph, const pb::NodeProto& gemm) : graph_(graph), gemm_(gemm), names_(graph) {}

  // What computes the same, in running order.
  Result<std::vector<pb::NodeProto>> turn(const pb::TensorProto& constant) {
    SLUICE_ASSIGN(const std::string weights, add_weights(constant));
    const bool turned = integer_attribute(gemm_, "transB", 0) != 0;
    const std::string data = turned ? gemm_.input(1) : step("Transpose", {gemm_.input(1)}, {});
    const std::string product = step("MatMul", {data, weights}, {});
    const bool adds = gemm_.input_size() > 2 && !gemm_.input(2).empty();
    const std::string result = step("Transpose", {product}, adds ? std::string() : gemm_.output(0));
    if (!adds) return std::move(steps_);
    std::string bias = gemm_.input(2);
    if (const float beta = factor_of(gemm_, "beta"); beta != 1.0f) {
      const std::string scale = names_.fresh(gemm_.output(0) + "_beta");
      *graph_.add_initializer() = make_floats(scale, {}, std::vector<float>{beta});
      bias = step("Mul", {bias, scale}, {});
    }
    step("Add", {result, bias}, gemm_.output(0));
    return std::move(steps_);
  }

 private:
  Result<std::string> add_weights(const pb::TensorProto& constant) {
    std::vector<std::int64_t> dims = dims_of(constant);
    if (dims.size() != 2) return unavailable("has " + std::to_string(dims.size()) + " dimensions");
    SLUICE_ASSIGN(std::vector<float> values, floats_of(constant));
    if (integer_attribute(gemm_, "transA", 0) == 0) {
      const auto rows = static_cast<std::size_t>(dims[0]), columns = static_cast<std::size_t>(dims[1]);
      std::vector<float> turned(values.size());
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t c = 0; c < columns; ++c) turned[c * rows + r] = values[r * columns + c];
      values = std::move(turned);
      std::swap(dims[0], dims[1]);
    }
    for (float& value : values) value *= factor_of(gemm_, "alpha");
    const std::string name = names_.fresh(constant.name() + "_turned");
    *graph_.add_initializer() = make_floats(name, dims, values);
    return name;
  }

  // Returns its output's name: `output`, or a new one.
  std::string step(const std::string& type, const std::vector<std::string>& inputs, std::string output) {
    if (output.empty()) output = names_.fresh(gemm_.output(0) + "_" + type);
    pb::NodeProto& node = steps_.emplace_back();
    node.set_op_type(type);
    node.set_name(names_.fresh(gemm_.name() + "_" + type));
    for (const std::string& input : inputs) node.add_input(input);
    node.add_output(output);
    return output;
  }

  pb::GraphProto& graph_;
  const pb::NodeProto gemm_;
  Names names_;
  std::vector<pb::NodeProto> steps_;
};

}  // namespace

Status turn_gemms(pb::GraphProto& graph) {
  for (int n = 0; n < graph.node_size(); ++n) {
    const pb::NodeProto gemm = graph.node(n);
    if (gemm.op_type() != "Gemm" || !gemm.domain().empty()) continue;
    const GraphIndex index(graph);
    const pb::TensorProto* const constant = index.initializer(gemm.input(0));
    if (!constant || index.initializer(gemm.input(1))) continue;
    const pb::TensorProto copy = *constant;
    auto steps = GemmTurner(graph, gemm).turn(copy);
    if (!steps.ok())
      return unavailable("operator '" + gemm.name() + "' (Gemm) multiplies the constant '" + gemm.input(0) +
                         "' by data, and the constant cannot become weights: " + steps.status().message());
    std::vector<pb::NodeProto> all(graph.node().begin(), graph.node().begin() + n);
    all.insert(all.end(), steps->begin(), steps->end());
    all.insert(all.end(), graph.node().begin() + n + 1, graph.node().end());
    graph.mutable_node()->Assign(all.begin(), all.end());
  }
  return {};
}

}  // namespace sluice::quantize
