#include "quantize/gemm_bias.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "quantize/graph_index.h"
#include "quantize/tensor_data.h"

namespace sluice::quantize {
namespace {

constexpr int kBias = 2;

// Of a Gemm whose second factor is constant.
std::optional<std::int64_t> columns_of(const GraphIndex& index, const pb::NodeProto& gemm) {
  const pb::TensorProto* const weights = index.initializer(gemm.input(1));
  if (!weights || weights->dims_size() != 2) return std::nullopt;
  return weights->dims(integer_attribute(gemm, "transB", 0) != 0 ? 0 : 1);
}

// A constant [n] or [1,n], n the number of columns as far as it is known.
bool is_row(const pb::TensorProto* bias, std::optional<std::int64_t> columns) {
  if (!bias || bias->dims_size() == 0) return false;
  const std::int64_t last = bias->dims(bias->dims_size() - 1);
  return elements_of(*bias) == last && (columns ? last == *columns : last > 1);
}

Status widen_to_row(pb::GraphProto& graph, pb::NodeProto& gemm, const pb::TensorProto& bias,
                    std::int64_t columns) {
  SLUICE_ASSIGN(const std::vector<float> values, floats_of(bias));
  const std::string name = Names(graph).fresh(bias.name() + "_row");
  const std::vector<float> row(static_cast<std::size_t>(columns), values[0]);
  *graph.add_initializer() = make_floats(name, std::vector{columns}, row);
  gemm.set_input(kBias, name);
  return {};
}

// y = alpha A B + beta C as y = alpha A B, then + beta C. What stands behind the Gemm, in running order.
std::vector<pb::NodeProto> take_out(pb::GraphProto& graph, pb::NodeProto& gemm) {
  Names names(graph);
  std::vector<pb::NodeProto> out;
  const auto add = [&](const std::string& type, const std::string& a, const std::string& b,
                       const std::string& result) {
    pb::NodeProto& node = out.emplace_back();
    node.set_op_type(type);
    node.set_name(names.fresh(gemm.name() + "_" + type));
    node.add_input(a);
    node.add_input(b);
    node.add_output(result);
  };
  std::string bias = gemm.input(kBias);
  if (const auto* const beta = find_attribute(gemm, "beta"); beta && beta->f() != 1.0f) {
    const std::string factor = names.fresh(gemm.output(0) + "_beta"), scaled = names.fresh(bias + "_scaled");
    *graph.add_initializer() = make_floats(factor, {}, std::vector<float>{beta->f()});
    add("Mul", bias, factor, scaled);
    bias = scaled;
  }
  const std::string result = gemm.output(0), product = names.fresh(result + "_product");
  add("Add", product, bias, result);
  gemm.set_output(0, product);
  gemm.mutable_input()->RemoveLast();
  remove_attribute(gemm, "beta");
  return out;
}

}  // namespace

Status free_gemm_biases(pb::GraphProto& graph) {
  for (int n = 0; n < graph.node_size(); ++n) {
    pb::NodeProto& gemm = *graph.mutable_node(n);
    if (gemm.op_type() != "Gemm" || !gemm.domain().empty() || gemm.input_size() <= kBias ||
        gemm.input(kBias).empty())
      continue;
    const GraphIndex index(graph);
    const pb::TensorProto* const bias = index.initializer(gemm.input(kBias));
    const std::optional<std::int64_t> columns = columns_of(index, gemm);
    if (is_row(bias, columns)) continue;
    if (bias && columns && elements_of(*bias) == 1) {
      SLUICE_RETURN_IF_ERROR(widen_to_row(graph, gemm, pb::TensorProto(*bias), *columns));
      continue;
    }
    const std::vector<pb::NodeProto> steps = take_out(graph, gemm);
    std::vector<pb::NodeProto> all(graph.node().begin(), graph.node().begin() + n + 1);
    all.insert(all.end(), steps.begin(), steps.end());
    all.insert(all.end(), graph.node().begin() + n + 1, graph.node().end());
    graph.mutable_node()->Assign(all.begin(), all.end());
  }
  return {};
}

}  // namespace sluice::quantize
