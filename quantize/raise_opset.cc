#include "quantize/raise_opset.h"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "quantize/graph_index.h"
#include "quantize/tensor_data.h"

namespace sluice::quantize {
namespace {

using Dims = std::vector<std::int64_t>;

// What a rule may look at and add while it rewrites one node.
class Rewriter {
 public:
  Rewriter(pb::GraphProto& graph, const GraphIndex& index) : graph_(graph), index_(index), names_(graph) {}

  std::optional<Dims> shape(const std::string& tensor) const { return index_.shape(tensor); }
  // New weights, returned by name.
  std::string integers(const pb::NodeProto& node, const char* what, const Dims& values, bool scalar = false) {
    const std::string name = names_.fresh(node.name() + "_" + what);
    const Dims dims = scalar ? Dims{} : Dims{static_cast<std::int64_t>(values.size())};
    *graph_.add_initializer() = make_integers(name, dims, values);
    return name;
  }
  std::string number(const pb::NodeProto& node, const char* what, float value) {
    const std::string name = names_.fresh(node.name() + "_" + what);
    *graph_.add_initializer() = make_floats(name, {}, std::vector<float>{value});
    return name;
  }
  std::string fresh(const std::string& wanted) { return names_.fresh(wanted); }
  // A node that is put before (`after` false) or behind the one that is being rewritten.
  pb::NodeProto& insert(bool after) { return after ? after_.emplace_back() : before_.emplace_back(); }
  std::vector<pb::NodeProto>& before() { return before_; }
  std::vector<pb::NodeProto>& after() { return after_; }

 private:
  pb::GraphProto& graph_;
  const GraphIndex& index_;
  Names names_;
  std::vector<pb::NodeProto> before_, after_;
};

using Rule = Status (*)(pb::NodeProto&, Rewriter&);

Dims list_attribute(const pb::NodeProto& node, const char* name) {
  const auto* const attribute = find_attribute(node, name);
  return attribute ? Dims(attribute->ints().begin(), attribute->ints().end()) : Dims{};
}

void set_input(pb::NodeProto& node, int index, const std::string& name) {
  while (node.input_size() <= index) node.add_input();
  node.set_input(index, name);
}

// A list of integers moves from an attribute to an input.
void list_to_input(pb::NodeProto& node, Rewriter& rewriter, const char* attribute, int input) {
  const Dims values = list_attribute(node, attribute);
  remove_attribute(node, attribute);
  if (!values.empty()) set_input(node, input, rewriter.integers(node, attribute, values));
}

Status axes_to_input(pb::NodeProto& node, Rewriter& rewriter) {
  list_to_input(node, rewriter, "axes", 1);
  return {};
}

Status split_to_input(pb::NodeProto& node, Rewriter& rewriter) {
  list_to_input(node, rewriter, "split", 1);
  return {};
}

Status split_18(pb::NodeProto& node, Rewriter&) {
  if (node.input_size() < 2 || node.input(1).empty()) set_attribute(node, "num_outputs", node.output_size());
  return {};
}

Status slice_10(pb::NodeProto& node, Rewriter& rewriter) {
  list_to_input(node, rewriter, "starts", 1);
  list_to_input(node, rewriter, "ends", 2);
  list_to_input(node, rewriter, "axes", 3);
  return {};
}

Status top_k_10(pb::NodeProto& node, Rewriter& rewriter) {
  const std::int64_t k = integer_attribute(node, "k", 1);
  remove_attribute(node, "k");
  set_input(node, 1, rewriter.integers(node, "k", {k}));
  return {};
}

Status clip_11(pb::NodeProto& node, Rewriter& rewriter) {
  constexpr std::array<const char*, 2> kBounds = {"min", "max"};
  for (int i = 0; i < 2; ++i) {
    const auto* const attribute = find_attribute(node, kBounds[static_cast<std::size_t>(i)]);
    if (!attribute) continue;
    set_input(node, i + 1, rewriter.number(node, kBounds[static_cast<std::size_t>(i)], attribute->f()));
    remove_attribute(node, kBounds[static_cast<std::size_t>(i)]);
  }
  return {};
}

Status pad_11(pb::NodeProto& node, Rewriter& rewriter) {
  const auto* const value = find_attribute(node, "value");
  const float constant = value ? value->f() : 0.0f;
  list_to_input(node, rewriter, "pads", 1);
  remove_attribute(node, "value");
  if (constant != 0.0f) set_input(node, 2, rewriter.number(node, "value", constant));
  return {};
}

// Before 11 there was one way to map coordinates.
Status resize_11(pb::NodeProto& node, Rewriter&) {
  if (node.input_size() < 2) return unavailable("has no scales");
  const std::string scales = node.input(1);
  node.set_input(1, "");
  set_input(node, 2, scales);
  set_attribute(node, "coordinate_transformation_mode", std::string("asymmetric"));
  set_attribute(node, "nearest_mode", std::string("floor"));
  return {};
}

Status upsample_10(pb::NodeProto& node, Rewriter&) {
  if (node.input_size() < 2)
    return unavailable("has its scales as attribute; export the model with opset 11 or later");
  node.set_op_type("Resize");
  return {};
}

Status scatter_11(pb::NodeProto& node, Rewriter&) {
  node.set_op_type("ScatterElements");
  return {};
}

Status dropout_12(pb::NodeProto& node, Rewriter&) {
  if (node.output_size() > 1 && !node.output(1).empty()) return unavailable("has a mask output");
  node.set_op_type("Identity");
  node.clear_attribute();
  node.mutable_input()->DeleteSubrange(1, node.input_size() - 1);
  node.mutable_output()->DeleteSubrange(1, node.output_size() - 1);
  return {};
}

void reshape(pb::NodeProto& out, Rewriter& rewriter, const std::string& from, const std::string& to,
             const Dims& dims) {
  out.set_op_type("Reshape");
  out.set_name(rewriter.fresh(to + "_reshape"));
  out.add_output(to);
  out.add_input(from);
  const std::string shape = rewriter.integers(out, "shape", dims);
  out.add_input(shape);
}

// Before 13 it worked on everything from `axis` (1) on as one row.
Status softmax_13(pb::NodeProto& node, Rewriter& rewriter) {
  const auto dims = rewriter.shape(node.input(0));
  if (!dims) return unavailable("has an input of unknown shape");
  const auto rank = static_cast<std::int64_t>(dims->size());
  std::int64_t axis = integer_attribute(node, "axis", 1);
  if (axis < 0) axis += rank;
  set_attribute(node, "axis", std::int64_t{-1});
  std::int64_t inner = 1, outer = 1;
  for (std::int64_t d = 0; d < rank; ++d) (d < axis ? outer : inner) *= (*dims)[static_cast<std::size_t>(d)];
  if (rank > 0 && inner == dims->back()) return {};
  const std::string flat = rewriter.fresh(node.input(0) + "_rows"),
                    result = rewriter.fresh(node.output(0) + "_rows");
  reshape(rewriter.insert(false), rewriter, node.input(0), flat, {outer, inner});
  reshape(rewriter.insert(true), rewriter, result, node.output(0), *dims);
  node.set_input(0, flat);
  node.set_output(0, result);
  return {};
}

Status batch_normalisation_14(pb::NodeProto& node, Rewriter&) {
  if (node.output_size() > 1) return unavailable("is in training mode; export the model for inference");
  remove_attribute(node, "spatial");
  return {};
}

Status roi_align_16(pb::NodeProto& node, Rewriter&) {
  if (!find_attribute(node, "coordinate_transformation_mode"))
    set_attribute(node, "coordinate_transformation_mode", std::string("output_half_pixel"));
  return {};
}

Status grid_sample_20(pb::NodeProto& node, Rewriter&) {
  const auto* const mode = find_attribute(node, "mode");
  if (mode && mode->s() == "bilinear") set_attribute(node, "mode", std::string("linear"));
  if (mode && mode->s() == "bicubic") set_attribute(node, "mode", std::string("cubic"));
  return {};
}

Status no_equal(pb::NodeProto&, Rewriter&) {
  return unavailable("means something else in the newer operator set");
}

struct Change {
  std::int64_t opset;  // from which on the old form is no longer valid
  const char* type;
  Rule rule;
};

// In the order of the operator sets; what is not listed kept its form and meaning from 7 to 21, or only got
// additions.
constexpr Change kChanges[] = {
    {10, "Slice", slice_10},
    {10, "TopK", top_k_10},
    {10, "Upsample", upsample_10},
    {11, "Clip", clip_11},
    {11, "Pad", pad_11},
    {11, "Resize", resize_11},
    {11, "Scatter", scatter_11},
    {12, "Dropout", dropout_12},
    {13, "Squeeze", axes_to_input},
    {13, "Unsqueeze", axes_to_input},
    {13, "ReduceSum", axes_to_input},
    {13, "Split", split_to_input},
    {13, "Softmax", softmax_13},
    {13, "LogSoftmax", softmax_13},
    {13, "Hardmax", softmax_13},
    {14, "BatchNormalization", batch_normalisation_14},
    {16, "RoiAlign", roi_align_16},
    {18, "ReduceMax", axes_to_input},
    {18, "ReduceMin", axes_to_input},
    {18, "ReduceMean", axes_to_input},
    {18, "ReduceProd", axes_to_input},
    {18, "ReduceL1", axes_to_input},
    {18, "ReduceL2", axes_to_input},
    {18, "ReduceLogSum", axes_to_input},
    {18, "ReduceLogSumExp", axes_to_input},
    {18, "ReduceSumSquare", axes_to_input},
    {18, "Split", split_18},
    {20, "GridSample", grid_sample_20},
    {21, "GroupNormalization", no_equal},
};

Status rewrite(pb::NodeProto& node, Rewriter& rewriter, std::int64_t from, std::int64_t to) {
  for (const Change& change : kChanges) {
    if (change.opset <= from || change.opset > to || node.op_type() != change.type) continue;
    SLUICE_RETURN_IF_ERROR(change.rule(node, rewriter)
                               .with_context("cannot be raised from opset " + std::to_string(from) + " to " +
                                             std::to_string(to) + ": operator '" + node.name() + "' (" +
                                             change.type + ") "));
  }
  return {};
}

// The IR version that came with an operator set (ONNX's Versioning.md).
std::int64_t ir_version_of(std::int64_t opset) {
  return opset >= 21 ? 10 : opset >= 19 ? 9 : opset >= 15 ? 8 : 7;
}

}  // namespace

std::int64_t opset_of(const pb::ModelProto& model) {
  for (const auto& import : model.opset_import()) {
    if (import.domain().empty() || import.domain() == "ai.onnx") return import.version();
  }
  return 1;
}

Status raise_opset(pb::ModelProto& model, std::int64_t opset) {
  const std::int64_t from = opset_of(model);
  if (from >= opset) return {};
  pb::GraphProto& graph = *model.mutable_graph();
  const GraphIndex index(graph);
  Rewriter rewriter(graph, index);
  google::protobuf::RepeatedPtrField<pb::NodeProto> nodes;
  for (pb::NodeProto& node : *graph.mutable_node()) {
    if (node.domain().empty() || node.domain() == "ai.onnx")
      SLUICE_RETURN_IF_ERROR(rewrite(node, rewriter, from, opset));
    for (pb::NodeProto& before : rewriter.before()) *nodes.Add() = std::move(before);
    *nodes.Add() = std::move(node);
    for (pb::NodeProto& after : rewriter.after()) *nodes.Add() = std::move(after);
    rewriter.before().clear();
    rewriter.after().clear();
  }
  graph.mutable_node()->Swap(&nodes);
  for (auto& import : *model.mutable_opset_import()) {
    if (import.domain().empty() || import.domain() == "ai.onnx") import.set_version(opset);
  }
  model.set_ir_version(std::max<std::int64_t>(model.ir_version(), ir_version_of(opset)));
  return {};
}

}  // namespace sluice::quantize
