#include "quantize/float_model.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <set>
#include <string_view>

#include "backends/ort/evaluator.h"
#include "framework/core/suggest.h"
#include "inference/checked_model.h"
#include "quantize/fold_affine.h"
#include "quantize/gemm_bias.h"
#include "quantize/graph_index.h"
#include "quantize/infer_types.h"
#include "quantize/tensor_data.h"
#include "quantize/turn_gemm.h"
#include "quantize/widen.h"

namespace sluice::quantize {
namespace {

// The place was checked by check_model: inside the model's folder, long enough, without links.
Status inline_data(pb::TensorProto& tensor, const std::string& folder) {
  std::string location;
  std::uint64_t offset = 0, length = 0;
  for (const auto& entry : tensor.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") offset = std::stoull(entry.value());
    if (entry.key() == "length") length = std::stoull(entry.value());
  }
  std::ifstream file(folder + "/" + location, std::ios::binary | std::ios::ate);
  if (length == 0 && file) length = static_cast<std::uint64_t>(file.tellg()) - offset;
  std::string bytes(length, '\0');
  if (!file.seekg(static_cast<std::streamoff>(offset)) ||
      !file.read(bytes.data(), static_cast<std::streamsize>(length)))
    return unavailable("the weights of '" + tensor.name() + "' in '" + location + "' cannot be read");
  tensor.clear_external_data();
  tensor.clear_data_location();
  tensor.set_raw_data(std::move(bytes));
  return {};
}

Status refuse_subgraphs(const pb::GraphProto& graph) {
  for (const pb::NodeProto& node : graph.node()) {
    for (const pb::AttributeProto& attribute : node.attribute()) {
      if (attribute.has_g() || attribute.graphs_size() > 0)
        return unavailable(
            "operator '" + (node.name().empty() ? node.output(0) : node.name()) + "' (" + node.op_type() +
            ") is a branch or loop; only straight networks can be quantised: export the model without it");
    }
  }
  return {};
}

std::string dims_text(const std::vector<std::int64_t>& dims) {
  std::string out;
  for (const std::int64_t dim : dims) out += (out.empty() ? "" : "x") + std::to_string(dim);
  return out;
}

Status fix_input(pb::ValueInfoProto& input, const std::vector<std::int64_t>* wanted) {
  auto& type = *input.mutable_type()->mutable_tensor_type();
  if (!type.has_shape() && !wanted)
    return unavailable("input '" + input.name() + "' has no shape; give it with --shape " + input.name() +
                       "=1x...");
  auto& shape = *type.mutable_shape();
  if (wanted && type.has_shape() && shape.dim_size() > 0 &&
      static_cast<std::size_t>(shape.dim_size()) != wanted->size())
    return invalid("--shape gives '" + input.name() + "' " + std::to_string(wanted->size()) +
                   " dimensions (" + dims_text(*wanted) + "), the model has " +
                   std::to_string(shape.dim_size()));
  if (wanted && shape.dim_size() == 0) {
    for (std::size_t i = 0; i < wanted->size(); ++i) shape.add_dim();
  }
  for (int i = 0; i < shape.dim_size(); ++i) {
    auto& dim = *shape.mutable_dim(i);
    if (wanted && dim.has_dim_value() && dim.dim_value() > 0 &&
        dim.dim_value() != (*wanted)[static_cast<std::size_t>(i)])
      return invalid("--shape gives dimension " + std::to_string(i) + " of '" + input.name() + "' as " +
                     std::to_string((*wanted)[static_cast<std::size_t>(i)]) + ", it is " +
                     std::to_string(dim.dim_value()) + " in the model");
    if (wanted) {
      dim.set_dim_value((*wanted)[static_cast<std::size_t>(i)]);
    } else if (!dim.has_dim_value() || dim.dim_value() <= 0) {
      if (i > 0)
        return unavailable("dimension " + std::to_string(i) + " of input '" + input.name() +
                           "' is not fixed; give the whole shape with --shape " + input.name() + "=1x...");
      dim.set_dim_value(1);
    }
  }
  return {};
}

Status fix_shapes(pb::GraphProto& graph, const std::vector<InputShape>& shapes) {
  const GraphIndex index(graph);
  std::vector<std::string> names;
  for (const pb::ValueInfoProto& input : graph.input()) {
    if (index.is_input(input.name())) names.push_back(input.name());
  }
  for (const InputShape& shape : shapes) {
    if (std::find(names.begin(), names.end(), shape.input) == names.end())
      return invalid("--shape names '" + shape.input + "', the model's inputs are: " + comma_list(names));
  }
  for (pb::ValueInfoProto& input : *graph.mutable_input()) {
    if (!index.is_input(input.name())) continue;
    const auto wanted =
        std::find_if(shapes.begin(), shapes.end(), [&](const auto& s) { return s.input == input.name(); });
    SLUICE_RETURN_IF_ERROR(fix_input(input, wanted == shapes.end() ? nullptr : &wanted->dims));
  }
  // What was derived from the old shapes is wrong now.
  graph.clear_value_info();
  for (pb::ValueInfoProto& output : *graph.mutable_output())
    output.mutable_type()->mutable_tensor_type()->clear_shape();
  return {};
}

// ONNX Runtime imports every operator set it knows.
void drop_unused_domains(pb::ModelProto& model) {
  std::set<std::string> used = {""};
  for (const pb::NodeProto& node : model.graph().node())
    used.insert(node.domain() == "ai.onnx" ? "" : node.domain());
  auto& imports = *model.mutable_opset_import();
  imports.erase(std::remove_if(
                    imports.begin(), imports.end(),
                    [&](const auto& i) { return !used.contains(i.domain() == "ai.onnx" ? "" : i.domain()); }),
                imports.end());
}

// Before IR version 4 weights had to be inputs too: with a default, which an application may override.
// Quantised ones have none left under that name.
void drop_weights_from_inputs(pb::ModelProto& model) {
  constexpr std::int64_t kWeightsAlone = 4;
  pb::GraphProto& graph = *model.mutable_graph();
  const GraphIndex index(graph);
  auto& inputs = *graph.mutable_input();
  inputs.erase(std::remove_if(inputs.begin(), inputs.end(),
                              [&](const auto& input) { return !index.is_input(input.name()); }),
               inputs.end());
  model.set_ir_version(std::max<std::int64_t>(model.ir_version(), kWeightsAlone));
}

// What converted halves converts nothing now.
void drop_idle_casts(pb::GraphProto& graph) {
  const GraphIndex index(graph);
  for (pb::NodeProto& node : *graph.mutable_node()) {
    if (node.op_type() != "Cast" || integer_attribute(node, "to", 0) != pb::TensorProto::FLOAT ||
        !index.is_float_activation(node.input(0)))
      continue;
    node.set_op_type("Identity");
    node.clear_attribute();
  }
}

// Dilations of 1 say nothing, but keep a pool from being computed with integers.
void drop_idle_dilations(pb::GraphProto& graph) {
  for (pb::NodeProto& node : *graph.mutable_node()) {
    if (node.op_type() != "AveragePool") continue;
    auto& attributes = *node.mutable_attribute();
    const auto idle = std::ranges::find_if(attributes, [](const pb::AttributeProto& a) {
      return a.name() == "dilations" && std::ranges::all_of(a.ints(), [](std::int64_t d) { return d == 1; });
    });
    if (idle != attributes.end()) attributes.erase(idle);
  }
}

void name_nodes(pb::GraphProto& graph) {
  Names names(graph);
  for (pb::NodeProto& node : *graph.mutable_node()) {
    if (node.name().empty())
      node.set_name(names.fresh(node.op_type() + "_" + (node.output_size() ? node.output(0) : "")));
  }
}

}  // namespace

Result<pb::ModelProto> load_model(const std::string& path) {
  SLUICE_ASSIGN(const auto checked,
                check_model({.name = path, .variant = {}, .path = path, .sha256 = {}, .dims = {}}));
  const std::string_view bytes = checked->file->bytes();
  pb::ModelProto model;
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return unavailable("'" + path + "' is damaged: it is no whole ONNX model");
  for (pb::TensorProto& tensor : *model.mutable_graph()->mutable_initializer()) {
    if (tensor.data_location() == pb::TensorProto::EXTERNAL)
      SLUICE_RETURN_IF_ERROR(inline_data(tensor, folder_of(path)).with_context("'" + path + "': "));
  }
  return model;
}

Status check_is_float(const pb::ModelProto& model) {
  constexpr std::array<std::string_view, 7> kQuantised = {
      "QuantizeLinear",        "DequantizeLinear", "QLinearConv",  "QLinearMatMul",
      "DynamicQuantizeLinear", "ConvInteger",      "MatMulInteger"};
  std::map<std::string, int> found;
  for (const pb::NodeProto& node : model.graph().node()) {
    if (std::find(kQuantised.begin(), kQuantised.end(), node.op_type()) != kQuantised.end())
      ++found[node.op_type()];
    if (node.op_type() == "EPContext")
      return unavailable(
          "the model is compiled for an accelerator already (EPContext); quantise the float model");
  }
  if (found.empty()) return {};
  std::string list;
  for (const auto& [type, count] : found)
    list += (list.empty() ? "" : ", ") + std::to_string(count) + " " + type;
  return unavailable("the model is quantised already (" + list +
                     "); quantise the float model it was made from");
}

Status fix_sizes(pb::ModelProto& model, const std::vector<InputShape>& shapes) {
  return fix_shapes(*model.mutable_graph(), shapes);
}

Status prepare(pb::ModelProto& model, const std::vector<InputShape>& shapes) {
  drop_weights_from_inputs(model);
  SLUICE_RETURN_IF_ERROR(widen(model).status());
  SLUICE_RETURN_IF_ERROR(fix_sizes(model, shapes));
  SLUICE_ASSIGN(const std::string simple, ort::simplify(model.SerializeAsString()));
  if (!model.ParseFromString(simple)) return failed("ONNX Runtime wrote a model that cannot be read");
  SLUICE_RETURN_IF_ERROR(refuse_subgraphs(model.graph()));
  SLUICE_RETURN_IF_ERROR(turn_gemms(*model.mutable_graph()));
  SLUICE_RETURN_IF_ERROR(free_gemm_biases(*model.mutable_graph()));
  SLUICE_RETURN_IF_ERROR(infer_types(model));
  drop_idle_casts(*model.mutable_graph());
  drop_idle_dilations(*model.mutable_graph());
  SLUICE_RETURN_IF_ERROR(fold_affine(*model.mutable_graph()));
  drop_unused_domains(model);
  name_nodes(*model.mutable_graph());
  return {};
}

}  // namespace sluice::quantize
