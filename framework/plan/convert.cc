#include "framework/plan/convert.h"

#include <algorithm>
#include <cmath>

#include "framework/plan/route_context.h"

namespace sluice::planning {
namespace {

constexpr std::string_view kQuantizeType = "quantize";
constexpr std::string_view kDequantizeType = "dequantize";

using Tensor_ = std::shared_ptr<const TensorType>;

bool is_quantised(const TensorType& t) { return t.quant.has_value(); }

enum class Step { kNone, kQuantize, kDequantize, kBoth, kImpossible };

// Of a plain input: rounded and saturated. int64 carries no quantisation.
bool takes_integers(const TensorType& t) {
  return is_integer(t.dtype) || (t.dtype == DType::kInt64 && !is_quantised(t));
}

// From what comes to what a model's input takes.
Step compare(const TensorType& have, const TensorType& want) {
  if (!(have.shape == want.shape)) return Step::kImpossible;
  if (have.layout != Layout::kNone && want.layout != Layout::kNone && have.layout != want.layout)
    return Step::kImpossible;
  if (have.dtype == want.dtype && have.quant.has_value() == want.quant.has_value() &&
      (!have.quant || agree(*have.quant, *want.quant))) {
    return Step::kNone;
  }
  const bool have_float = have.dtype == DType::kFloat32, want_float = want.dtype == DType::kFloat32;
  if (have_float && takes_integers(want)) return Step::kQuantize;
  if (want_float && is_quantised(have)) return Step::kDequantize;
  return is_quantised(have) && is_quantised(want) ? Step::kBoth : Step::kImpossible;
}

TensorType as_float(const TensorType& type) {
  TensorType out = type;
  out.dtype = DType::kFloat32;
  out.quant.reset();
  return out;
}

// The node whose numbers come over an edge, behind nodes that only pass them on.
int origin(Draft& d, int node) {
  while (forwards_type(d.type(node)) && !d.node(node).inputs.empty() && !d.node(node).inputs[0].empty()) {
    node = d.edge(d.node(node).inputs[0][0]).from_node;
  }
  return node;
}

std::string short_text(const TensorType& type) {
  TensorType bare = type;
  bare.name.clear();
  return bare.text();
}

PortType port_type(const PortType& like, TensorType tensor) {
  PortType out = like;
  out.kind = PortKind::kTensor;
  out.payload = payload_of(PortKind::kTensor);
  out.tensor = std::make_shared<const TensorType>(std::move(tensor));
  return out;
}

// ---- inserting ----

// What an edge carries and is to carry, by route of the node it comes from.
struct EdgeTypes {
  std::vector<TensorType> have, want;
};

std::string unique_id(Draft& d, const std::string& base) {
  std::string id = base;
  for (int i = 2; d.node_index.contains(id); ++i) id = base + "." + std::to_string(i);
  return id;
}

// An inserted node with the same work on the same output serves a second reader too.
int find_inserted(Draft& d, std::string_view type, int from, int output,
                  const std::vector<TensorType>& want) {
  for (std::size_t n = d.spec.nodes.size(); n < d.plan->nodes.size(); ++n) {
    const NodePlan& node = d.plan->nodes[n];
    const PlanEdge& in = d.edge(node.inputs[0][0]);
    if (node.declaration->type != type || in.from_node != from || in.from_output != output) continue;
    bool same = node.routes.size() == want.size();
    for (std::size_t r = 0; same && r < want.size(); ++r) {
      same = compare(*node.routes[r].outputs[0].tensor, want[r]) == Step::kNone;
    }
    if (same) return static_cast<int>(n);
  }
  return -1;
}

int add_edge_to(Draft& d, int from, int output, int to) {
  PlanEdge edge;
  edge.from_node = from;
  edge.from_output = output;
  edge.to_node = to;
  const int index = static_cast<int>(d.plan->edges.size());
  d.plan->edges.push_back(std::move(edge));
  d.edge_specs.push_back(nullptr);
  return index;
}

NodeRoute converted(const NodeRoute& from, std::size_t output, const TensorType& want) {
  NodeRoute route;
  route.variant = from.variant;
  route.inputs = {{from.outputs[output]}};
  route.outputs = {port_type(from.outputs[output], want)};
  return route;
}

// Appends a `type` node behind the edge's origin and lets the edge start at it.
bool insert(Draft& d, std::string_view type, int edge, const std::vector<TensorType>& want) {
  const PlanEdge old = d.edge(edge);
  int index = find_inserted(d, type, old.from_node, old.from_output, want);
  if (index < 0) {
    const auto declaration = d.find_type(type);
    if (!declaration) {
      d.error(d.node(old.to_node).mark, d.owner(old.to_node) + ": its input '" + d.node(old.from_node).id +
                                            "' needs a '" + std::string(type) +
                                            "' node, which this registry lacks");
      return false;
    }
    NodePlan node;
    node.id = unique_id(d, d.node(old.to_node).id + "." + std::string(type));
    node.mark = d.node(old.to_node).mark;
    node.declaration = declaration;
    Issues none;
    node.options =
        std::make_shared<const Options>(parse_options(node.id, declaration->options, Value{}, "", none));
    node.file_index = d.node(old.to_node).file_index;
    node.inserted = "'" + d.node(old.to_node).id + "' takes " + short_text(want.back()) + " from '" +
                    d.node(old.from_node).id + "'";
    node.thread = declaration->thread;
    node.source = d.node(old.from_node).source;
    node.choice = d.node(old.from_node).choice;
    const auto& routes = d.node(old.from_node).routes;
    for (std::size_t r = 0; r < routes.size(); ++r) {
      node.routes.push_back(converted(routes[r], static_cast<std::size_t>(old.from_output), want[r]));
    }
    node.outputs.push_back(
        {.name = node.routes[0].outputs[0].name, .max_packets = node.routes[0].outputs[0].max_packets});
    index = static_cast<int>(d.plan->nodes.size());
    d.say("'" + node.id + "' is inserted: " + node.inserted);
    d.node_index.emplace(node.id, index);
    node.inputs = {{add_edge_to(d, old.from_node, old.from_output, index)}};
    d.plan->nodes.push_back(std::move(node));
    d.nodes.push_back({.known = true, .mentioned = true, .typed = true});
  }
  d.edge(edge).from_node = index;
  d.edge(edge).from_output = 0;
  return true;
}

// ---- one input edge ----

class EdgeConverter {
 public:
  EdgeConverter(Draft& d, int node, std::size_t port, std::size_t position)
      : d_(d), node_(node), port_(port), position_(position), edge_(d.node(node).inputs[port][position]) {}

  bool run() {
    if (!steady_when_latest()) return false;
    return d_.type(node_).infers ? into_model() : into_reader();
  }

 private:
  const PortType& have(std::size_t route) { return d_.node(node_).routes[route].inputs[port_][position_]; }
  std::size_t routes() { return d_.node(node_).routes.size(); }
  std::string from_text() { return "'" + d_.node(d_.edge(edge_).from_node).id + "'"; }

  // What a mailbox holds is another frame's, which may have taken another route.
  bool steady_when_latest() {
    const PlanEdge& edge = d_.edge(edge_);
    const NodePlan& from = d_.node(edge.from_node);
    if (from.choice == d_.node(node_).choice && !edge.latest) return true;
    for (const NodeRoute& route : from.routes) {
      const auto output = static_cast<std::size_t>(edge.from_output);
      if (compare(*route.outputs[output].tensor, *from.routes[0].outputs[output].tensor) == Step::kNone)
        continue;
      d_.error(d_.node(node_).mark,
               d_.owner(node_) + ": the tensor of " + from_text() +
                   " differs between the variants of its model, so it cannot be read with 'sync: latest'");
      return false;
    }
    return true;
  }

  bool refuse(const std::string& message) {
    const InputSpec* spec = d_.edge_specs[static_cast<std::size_t>(edge_)];
    d_.error(spec ? spec->mark : d_.node(node_).mark, d_.owner(node_) + ": " + message);
    return false;
  }

  int link() {
    for (const int l : d_.draft(node_).in) {
      if (d_.link(l).spec == d_.edge_specs[static_cast<std::size_t>(edge_)]) return l;
    }
    return -1;
  }

  bool into_model() {
    std::vector<TensorType> want;
    bool quantize = false, dequantize = false;
    for (std::size_t r = 0; r < routes(); ++r) {
      const TensorType* type = wanted(d_, link(), r);
      if (!type) return true;
      const TensorType& given = *have(r).tensor;
      const Step step = compare(given, *type);
      const bool own_numbers = d_.type(origin(d_, d_.edge(edge_).from_node)).infers;
      if (step == Step::kImpossible || (step == Step::kBoth && !own_numbers))
        return contradiction(r, given, *type);
      quantize = quantize || step == Step::kQuantize || step == Step::kBoth;
      dequantize = dequantize || step == Step::kDequantize || step == Step::kBoth;
      want.push_back(*type);
    }
    return (!dequantize || insert_dequantize(quantize ? nullptr : &want)) &&
           (!quantize || insert_step(kQuantizeType, want));
  }

  bool contradiction(std::size_t route, const TensorType& given, const TensorType& type) {
    const std::string& model = d_.plan->models[static_cast<std::size_t>(d_.draft(node_).model)].name;
    const std::string variant(variant_name(d_, d_.node(node_).choice, route));
    return refuse("input '" + type.name + "' of model '" + model + "'" +
                  (variant.empty() ? "" : ", variant '" + variant + "',") + " takes " + short_text(type) +
                  ", but " + from_text() + " gives " + short_text(given));
  }

  // Dequantises where the routes need it; others pass.
  bool insert_dequantize(const std::vector<TensorType>* want) {
    std::vector<TensorType> types;
    for (std::size_t r = 0; r < routes(); ++r) {
      const TensorType& given = *have(r).tensor;
      const bool convert = is_quantised(given) && (!want || (*want)[r].dtype == DType::kFloat32);
      types.push_back(convert ? as_float(given) : given);
    }
    return insert_step(kDequantizeType, types);
  }

  bool insert_step(std::string_view type, const std::vector<TensorType>& want) {
    const std::size_t from_routes = d_.node(d_.edge(edge_).from_node).routes.size();
    std::vector<TensorType> by_producer = want;
    by_producer.resize(from_routes, want.front());
    if (!insert(d_, type, edge_, by_producer)) return false;
    for (std::size_t r = 0; r < routes(); ++r) {
      PortType& input = d_.node(node_).routes[r].inputs[port_][position_];
      input = port_type(input, want[r]);
    }
    return true;
  }

  // A node that computes on tensors asks for float; it may be able to read integers itself.
  bool into_reader() {
    const std::string& type = d_.type(node_).type;
    if (type == kDequantizeType) return true;  // compares written parameters itself
    bool quantised = false;
    for (std::size_t r = 0; r < routes(); ++r) quantised = quantised || is_quantised(*have(r).tensor);
    if (!quantised) return true;
    if (type != kQuantizeType && folds()) return true;
    return insert_dequantize(nullptr);
  }

  bool folds() {
    const Fold& fold = d_.type(node_).fold;
    if (!fold) return false;
    for (std::size_t r = 0; r < routes(); ++r) {
      const TensorType& given = *have(r).tensor;
      if (is_quantised(given) && !fold(RouteContext(d_, node_, r), FoldDirection::kInput, given))
        return false;
    }
    for (std::size_t r = 0; r < routes(); ++r) {
      if (!is_quantised(*have(r).tensor)) continue;
      d_.node(node_).folded.push_back("dequantize " + have(r).tensor->text());
      d_.say("dequantize is folded into '" + d_.node(node_).id + "': it reads " + have(r).tensor->text() +
             " itself");
    }
    return true;
  }

  Draft& d_;
  int node_;
  std::size_t port_;
  std::size_t position_;
  int edge_;
};

// ---- folding into the producer ----

// The infer links that read `node`'s first output, also behind nodes that pass it on; false when something
// else reads it too, which asked for float.
bool only_models_read(Draft& d, int node, std::vector<int>& links) {
  for (const int l : d.draft(node).out) {
    const Link& link = d.link(l);
    if (d.type(link.to).infers) {
      links.push_back(l);
    } else if (!forwards_type(d.type(link.to)) || link.to_port != 0 || !only_models_read(d, link.to, links)) {
      return false;
    }
  }
  return !d.draft(node).out.empty();
}

// What all readers agree on in a route, when that is an integer where the node would write float; null:
// nothing to do.
const TensorType* common_integer(Draft& d, int node, const std::vector<int>& links, std::size_t route,
                                 bool& agreed) {
  const TensorType& have = *d.node(node).routes[route].outputs[0].tensor;
  const int choice = d.node(node).choice;
  const TensorType* common = nullptr;
  for (const int l : links) {
    const bool same_choice = d.node(d.link(l).to).choice == choice;
    const TensorType* type = wanted(d, l, same_choice ? route : 0);
    if (!type) continue;
    if (common && compare(*common, *type) != Step::kNone) agreed = false;
    common = type;
  }
  return common && compare(have, *common) == Step::kQuantize ? common : nullptr;
}

// A node that already writes what its model reads has folded the step by itself.
void say_own_fold(Draft& d, int node) {
  for (const NodeRoute& route : d.node(node).routes) {
    const Tensor_& tensor = route.outputs[0].tensor;
    if (!tensor->quant) continue;
    d.node(node).folded.push_back("quantize " + tensor->text());
    d.say("quantize is folded into '" + d.node(node).id + "': it writes " + tensor->text() + " itself");
  }
}

}  // namespace

void fold_into_producer(Draft& d, int n) {
  const auto& outputs = d.node(n).routes[0].outputs;
  if (!d.type(n).fold || d.type(n).infers || outputs.empty() || !outputs[0].tensor) return;
  if (d.type(n).type == kQuantizeType || d.type(n).type == kDequantizeType) return;
  std::vector<int> links;
  std::vector<std::pair<std::size_t, TensorType>> changes;
  bool agreed = only_models_read(d, n, links);
  for (std::size_t r = 0; agreed && r < d.node(n).routes.size(); ++r) {
    const TensorType* type = common_integer(d, n, links, r, agreed);
    if (!type) continue;
    agreed = agreed && d.type(n).fold(RouteContext(d, n, r), FoldDirection::kOutput, *type);
    changes.emplace_back(r, *type);
  }
  if (agreed) {
    for (const auto& [r, type] : changes) {
      PortType& output = d.node(n).routes[r].outputs[0];
      output = port_type(output, type);
    }
  }
  say_own_fold(d, n);
}

bool convert_inputs(Draft& d, int n) {
  bool right = true;
  for (std::size_t p = 0; p < d.node(n).inputs.size(); ++p) {
    const PortKind kind = d.type(n).inputs[p].kind;
    if (kind != PortKind::kTensor && kind != PortKind::kTensorSet) continue;
    for (std::size_t i = 0; i < d.node(n).inputs[p].size(); ++i) {
      if (d.node(n).routes[0].inputs[p][i].tensor) right = EdgeConverter(d, n, p, i).run() && right;
    }
  }
  return right;
}

}  // namespace sluice::planning
