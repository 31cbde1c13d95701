#include "tests/framework/plan/plan_testing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "framework/core/suggest.h"
#include "framework/node/chosen_device.h"
#include "framework/node/htp_section.h"

namespace sluice::testing {
namespace {

TensorType tensor(std::string name, Shape shape) {
  TensorType t;
  t.name = std::move(name);
  t.shape = shape;
  return t;
}

PortType tensor_port(TensorType type) {
  PortType port;
  port.kind = PortKind::kTensor;
  port.name = type.name;
  port.tensor = std::make_shared<const TensorType>(std::move(type));
  return port;
}

void quantise(TensorType& type, float scale, std::int32_t zero_point) {
  type.dtype = DType::kUint8;
  type.quant = QuantParams{{scale}, {zero_point}, -1};
}

OptionDeclaration child(std::string name, OptionKind kind, OptionValue fallback) {
  OptionDeclaration o;
  o.name = std::move(name);
  o.kind = kind;
  o.fallback = std::move(fallback);
  return o;
}

void describe_source(NodeDeclaration& d) {
  d.source = true;
  d.thread = ThreadKind::kOwn;
  d.output("frame", PortKind::kFrame);
  d.option("live", false);
  d.option("pace", OptionKind::kRate).any_of({"realtime", "max"}).in_unit("fps");
}

void describe_any(NodeDeclaration& d) {
  d.input("in", PortKind::kAny);
  d.output("out", PortKind::kAny);
}

Result<std::vector<PortType>> pre_types(const TypeContext& context) {
  if (!context.options().has("model")) return std::vector<PortType>{tensor_port(tensor("", {1, 3, 8, 8}))};
  SLUICE_ASSIGN(const ModelSignature model, context.model("model"));
  return std::vector<PortType>{tensor_port(model.inputs.front())};
}

void describe_pre(NodeDeclaration& d) {
  d.input("frame", PortKind::kFrame);
  d.output("tensor", PortKind::kTensor);
  d.option("model", OptionKind::kModel);
  d.option("fit", OptionKind::kChoice).any_of({"stretch", "letterbox", "crop"}).fallback = {
      std::string("stretch")};
  d.option("mean", OptionKind::kNumbers).fallback = {0.0};
  d.infer_types = pre_types;
}

void describe_placed(NodeDeclaration& d) {
  describe_pre(d);
  d.option("device", OptionKind::kChoice).any_of({"auto", "cpu", "gpu"}).fallback = {std::string("auto")};
  d.option("gpu", OptionKind::kMap).child(child("device", OptionKind::kText, {std::string("auto")}));
  d.choose_thread = [](const Options& options) {
    return options.has(kChosenDevice) ? ThreadKind::kOwn : ThreadKind::kWorker;
  };
}

Result<std::vector<PortType>> infer_outputs(const TypeContext& context) {
  SLUICE_ASSIGN(const ModelSignature model, context.model("model"));
  std::vector<PortType> out;
  out.reserve(model.outputs.size());
  for (const TensorType& t : model.outputs) out.push_back(tensor_port(t));
  return out;
}

void describe_infer(NodeDeclaration& d) {
  d.input("inputs", PortKind::kTensor).any_number();
  d.output("outputs", PortKind::kTensor).any_number();
  d.option("model", OptionKind::kModel).must();
  d.option("backends", OptionKind::kTexts).any_of({"htp", "gpu", "cpu", "fake"}).fallback = {
      OptionList{{std::string("cpu")}}};
  d.option("concurrency", OptionKind::kInteger).range(1, 16).any_of({"auto"}).fallback = {
      std::string("auto")};
  d.option("batch", OptionKind::kMap)
      .child(child("max", OptionKind::kInteger, {std::int64_t{1}}).range(1, 64))
      .child(child("wait_ms", OptionKind::kNumber, {0.0}).range(0, 1000).in_unit("ms"));
  d.option("policy", OptionKind::kChoice).any_of({"fixed", "balanced"});
  d.option("cpu", OptionKind::kMap)
      .child(child("threads", OptionKind::kInteger, {std::string("auto")}).range(1, 64).any_of({"auto"}))
      .child(child("cores", OptionKind::kNumberSet, {std::string("auto")}).any_of({"auto", "big", "all"}));
  d.options.push_back(htp_section());
  d.option("gpu", OptionKind::kMap).child(child("device", OptionKind::kText, {std::string("auto")}));
  d.option("degrade", OptionKind::kMaps)
      .child(child("performance_mode", OptionKind::kText, {}))
      .child(child("variant", OptionKind::kText, {}))
      .child(child("backend", OptionKind::kText, {}))
      .child(child("rate_hz", OptionKind::kNumber, {}));
  d.infers = true;
  d.serial = false;
  d.infer_types = infer_outputs;
}

void describe_detect(NodeDeclaration& d) {
  d.input("tensors", PortKind::kTensorSet);
  d.output("detections", PortKind::kDetections);
  d.option("min_score", 0.5).range(0, 1).can_change();
  d.option("max_detections", 100).range(1, 10000);
}

void describe_draw(NodeDeclaration& d) {
  d.input("image", PortKind::kFrame).edits();
  d.input("detections", PortKind::kDetections).may_be_absent();
  d.output("frame", PortKind::kFrame);
}

void describe_conversion(NodeDeclaration& d) {
  d.input("tensor", PortKind::kTensor);
  d.output("tensor", PortKind::kTensor);
  d.option("scale", OptionKind::kNumbers);
  d.infer_types = [](const TypeContext& context) -> Result<std::vector<PortType>> {
    TensorType type = *context.inputs(0).front().tensor;
    const auto want = context.wanted_downstream();
    if (want) type = *want;
    if (!want) type.dtype = DType::kFloat32, type.quant.reset();
    if (type.quant && context.options().has("scale")) {
      type.quant->scale = {static_cast<float>(context.options().number("scale"))};
    }
    return std::vector<PortType>{tensor_port(type)};
  };
}

void describe_sink(NodeDeclaration& d) {
  d.sink = true;
  d.thread = ThreadKind::kOwn;
  d.input("in", PortKind::kAny).any_number();
  d.option("path", OptionKind::kPathOut);
}

template <typename Describe>
void add(Registry& registry, std::string type, Describe describe) {
  NodeDeclaration d;
  d.type = std::move(type);
  describe(d);
  const Status added = registry.add(std::move(d));
  if (!added.ok()) throw std::logic_error(added.message());
}

void add_plain_types(Registry& r) {
  add(r, "source", describe_source);
  add(r, "decoder", [](NodeDeclaration& d) {
    describe_source(d);
    d.outputs.front().shared_read_only();
  });
  add(r, "pass", [](NodeDeclaration& d) { describe_any(d), d.cheap = true; });
  add(r, "work", describe_any);
  add(r, "drop_stale", [](NodeDeclaration& d) {
    describe_any(d);
    d.option("max_age_ms", OptionKind::kNumber).must().range(0, 1e9).in_unit("ms");
  });
  add(r, "own", [](NodeDeclaration& d) { describe_any(d), d.thread = ThreadKind::kOwn; });
  add(r, "switch", [](NodeDeclaration& d) {
    describe_any(d);
    d.outputs.front().name = "a";
    d.output("b", PortKind::kAny);
    d.option("to", OptionKind::kChoice).any_of({"a", "b"}).can_change().fallback = {std::string("a")};
  });
  add(r, "join", [](NodeDeclaration& d) {
    d.input("left", PortKind::kAny), d.input("right", PortKind::kAny).may_be_absent();
    d.output("out", PortKind::kDetections);
  });
  add(r, "many", [](NodeDeclaration& d) {
    d.input("in", PortKind::kFrame);
    d.output("items", PortKind::kFrame).up_to(4);
  });
  add(r, "sink", describe_sink);
  add(r, "void", [](NodeDeclaration& d) { d.sink = true, d.input("in", PortKind::kAny); });
  add(r, "view", [](NodeDeclaration& d) {
    d.observer = true, d.thread = ThreadKind::kOwn, d.input("in", PortKind::kAny);
  });
}

void add_model_types(Registry& r) {
  add(r, "pre", [](NodeDeclaration& d) {
    describe_pre(d);
    d.fold = [](const TypeContext&, FoldDirection direction, const TensorType&) {
      return direction == FoldDirection::kOutput;
    };
  });
  add(r, "prefloat", describe_pre);
  add(r, "placed", describe_placed);
  add(r, "infer", describe_infer);
  add(r, "detect", [](NodeDeclaration& d) {
    describe_detect(d);
    d.fold = [](const TypeContext&, FoldDirection direction, const TensorType&) {
      return direction == FoldDirection::kInput;
    };
  });
  add(r, "floatdetect", describe_detect);
  add(r, "draw", describe_draw);
  add(r, "quantize", describe_conversion);
  add(r, "dequantize", describe_conversion);
}

ModelSignature float_model() {
  ModelSignature s;
  s.inputs = {tensor("image", {1, 3, 8, 8})};
  s.outputs = {tensor("a", {1, 4}), tensor("b", {1, 2})};
  return s;
}

}  // namespace

const Registry& registry() {
  static const Registry kRegistry = [] {
    Registry r;
    add_plain_types(r);
    add_model_types(r);
    return r;
  }();
  return kRegistry;
}

Result<ModelSignature> read_fake_signature(const ModelPlan& model, std::string_view variant) {
  std::string path = model.path;
  for (const auto& v : model.variants) {
    if (v.name == variant) path = v.path;
  }
  const std::string file = path.substr(path.rfind('/') + 1);
  ModelSignature s = float_model();
  if (file == "quant.onnx" || file == "quant2.onnx") {
    quantise(s.inputs[0], file == "quant.onnx" ? 0.5F : 0.75F, 128);
    for (TensorType& t : s.outputs) quantise(t, 0.25F, 0);
  } else if (file == "small.onnx") {
    s.inputs[0].shape = {1, 3, 4, 4};
  } else if (file == "chain.onnx") {
    s.inputs = {tensor("a", {1, 4})};
    quantise(s.inputs[0], 0.125F, 3);
  } else if (file == "batch.onnx") {
    s.symbolic_batch = true;
  } else if (file == "two.onnx") {
    s.inputs = {tensor("x", {1, 3, 8, 8}), tensor("y", {1, 3, 8, 8})};
  } else if (file == "plain.onnx") {
    s.inputs[0].dtype = DType::kUint8;
  } else if (file == "plain64.onnx") {
    s.inputs[0].dtype = DType::kInt64;
  } else if (file == "swapped.onnx") {
    std::swap(s.outputs[0], s.outputs[1]);
  } else if (file == "names.onnx") {
    s.outputs[0].name = "other";
  } else if (file == "open.onnx") {
    s.inputs[0].shape = {1, 3, Shape::kSymbolic, 8};
  } else if (file != "float.onnx") {
    return unavailable(path_in_quotes(path) + " does not exist");
  }
  return s;
}

PlanInputs plan_inputs() {
  PlanInputs inputs;
  inputs.registry = &registry();
  inputs.read_signature = read_fake_signature;
  inputs.ask_source = [](const std::string&, const Options& options) {
    return SourceTraits{options.flag("live"), options.has("pace") && options.text("pace") != "max"};
  };
  inputs.cores = 2;
  return inputs;
}

PlanResult plan_of(std::string_view text, const PlanInputs& inputs) {
  static std::vector<std::unique_ptr<ParsedSpec>> kept;  // plans point into no spec, issues are copied
  kept.push_back(
      std::make_unique<ParsedSpec>(parse_spec_text("version: 1\n" + std::string(text), "p.yaml", "dir")));
  for (const Issue& issue : kept.back()->issues) ADD_FAILURE() << format("p.yaml", issue);
  return make_plan(kept.back()->spec, inputs);
}

std::vector<std::string> issues_of(std::string_view text, const PlanInputs& inputs) {
  std::vector<std::string> out;
  for (const Issue& i : plan_of(text, inputs).issues) {
    out.push_back(std::to_string(i.mark.line) + ":" + std::to_string(i.mark.column) + ": " +
                  (i.warning ? "warning: " : "") + i.message + (i.code == Code::kUnavailable ? " (3)" : ""));
  }
  return out;
}

const NodePlan& node(const PlanResult& result, std::string_view id) {
  if (!result.plan) throw std::logic_error(result.issues.empty() ? "no plan" : result.issues.front().message);
  const auto& nodes = result.plan->nodes;
  const auto found = std::find_if(nodes.begin(), nodes.end(), [&](const NodePlan& n) { return n.id == id; });
  if (found == nodes.end()) throw std::logic_error("no node " + std::string(id));
  return *found;
}

const PlanEdge& edge(const PlanResult& result, std::string_view from, std::string_view to) {
  const auto& nodes = result.plan->nodes;
  for (const PlanEdge& e : result.plan->edges) {
    if (nodes[static_cast<std::size_t>(e.from_node)].id == from &&
        nodes[static_cast<std::size_t>(e.to_node)].id == to)
      return e;
  }
  throw std::logic_error("no edge from " + std::string(from) + " to " + std::string(to));
}

}  // namespace sluice::testing
