// Links -> edges, in topological order, with the type of every port in every route.
#include <algorithm>

#include "framework/core/buffer.h"
#include "framework/core/suggest.h"
#include "framework/node/type_calls.h"
#include "framework/plan/convert.h"
#include "framework/plan/draft.h"
#include "framework/plan/route_context.h"

namespace sluice::planning {
namespace {

constexpr std::size_t kMostOutputs = 64;  // the flow core's limit per node

std::size_t routes_of(const Draft& d, int choice) {
  return choice < 0 ? 1 : d.plan->choices[static_cast<std::size_t>(choice)].variants.size();
}

void add_edge(Draft& d, const Link& link, int output) {
  PlanEdge edge;
  edge.from_node = link.from;
  edge.from_output = output;
  edge.to_node = link.to;
  edge.to_port = link.to_port;
  edge.element = link.element;
  edge.latest = link.spec->sync == Sync::kLatest;
  edge.max_age = to_ns(link.spec->max_age_ms.value_or(0));
  auto& port = d.node(link.to).inputs[static_cast<std::size_t>(link.to_port)];
  edge.to_edge = static_cast<int>(port.size());
  port.push_back(static_cast<int>(d.plan->edges.size()));
  d.plan->edges.push_back(std::move(edge));
  d.edge_specs.push_back(link.spec);
}

// Outputs whose names only the model knows are matched here.
bool expand(Draft& d, const Link& link) {
  const auto& outputs = d.node(link.from).outputs;
  if (link.whole_node) {
    for (std::size_t o = 0; o < outputs.size(); ++o) add_edge(d, link, static_cast<int>(o));
    return true;
  }
  if (link.from_name.empty()) {
    add_edge(d, link, link.from_port == kNamedByModel ? 0 : link.from_port);
    return true;
  }
  std::vector<std::string> names;
  names.reserve(outputs.size());
  for (const OutputPlan& o : outputs) names.push_back(o.name);
  const auto found = std::find(names.begin(), names.end(), link.from_name);
  if (found == names.end()) {
    d.error(link.spec->mark, d.owner(link.to) + ": input " + in_quotes(link.spec->from) + ": '" +
                                 d.node(link.from).id + "' has no output " + in_quotes(link.from_name) +
                                 allowed(link.from_name, names));
    return false;
  }
  add_edge(d, link, static_cast<int>(found - names.begin()));
  return true;
}

// Every input of the model is fed once, by name or by position.
bool check_model_inputs(Draft& d, int n) {
  if (d.draft(n).model < 0) return true;
  const std::string& model = d.plan->models[static_cast<std::size_t>(d.draft(n).model)].name;
  const auto& inputs = signature(d, d.draft(n).model, -1, 0).inputs;
  std::vector<std::string> names;
  names.reserve(inputs.size());
  for (const TensorType& t : inputs) names.push_back(t.name);
  std::vector<bool> fed(inputs.size());
  bool right = true;
  for (const int l : d.draft(n).in) {
    const Link& link = d.link(l);
    const int input = model_input(d, l);
    if (input >= 0) {
      fed[static_cast<std::size_t>(input)] = true;
      continue;
    }
    right = false;
    const std::string what =
        link.element.empty()
            ? "more inputs than model '" + model + "' has, which are: " + comma_list(names)
            : "model '" + model + "' has no input " + in_quotes(link.element) + allowed(link.element, names);
    d.error(link.spec->mark, d.owner(n) + ": " + what);
  }
  for (std::size_t i = 0; i < fed.size() && right; ++i) {
    if (fed[i]) continue;
    d.error(d.node(n).mark, d.owner(n) + ": input '" + names[i] + "' of model '" + model + "' is missing");
    right = false;
  }
  return right;
}

bool make_edges(Draft& d, int n) {
  d.node(n).inputs.resize(d.type(n).inputs.size());
  bool right = true;
  for (const int l : d.draft(n).in) {
    if (!d.draft(d.link(l).from).typed) return false;
    right = expand(d, d.link(l)) && right;
  }
  return right && (!d.type(n).infers || check_model_inputs(d, n));
}

void make_routes(Draft& d, int n) {
  NodePlan& node = d.node(n);
  node.routes.resize(routes_of(d, node.choice));
  for (std::size_t r = 0; r < node.routes.size(); ++r) {
    node.routes[r].variant = variant_name(d, node.choice, r);
    node.routes[r].inputs.resize(node.inputs.size());
    for (std::size_t p = 0; p < node.inputs.size(); ++p) {
      for (const int e : node.inputs[p]) {
        const NodePlan& from = d.node(d.edge(e).from_node);
        const std::size_t route = from.choice == node.choice ? r : 0;
        node.routes[r].inputs[p].push_back(
            from.routes[route].outputs[static_cast<std::size_t>(d.edge(e).from_output)]);
      }
    }
  }
}

std::vector<PortType> declared_outputs(Draft& d, int n, std::size_t route) {
  const auto& inputs = d.node(n).routes[route].inputs;
  std::vector<PortType> out;
  for (const PortDeclaration& port : d.type(n).outputs) {
    PortType type;
    const bool same_as_input = port.kind == PortKind::kAny && !inputs.empty() && !inputs[0].empty();
    if (same_as_input) {
      type = inputs[0][0];
    } else {
      type.kind = port.kind;
      type.payload = port.payload;
    }
    type.name = port.name;
    type.max_packets = port.max_packets;
    out.push_back(std::move(type));
  }
  return out;
}

// Lists go through a node element by element: what it makes of one, it makes of each.
int list_length(Draft& d, int n, std::size_t route) {
  if (d.type(n).takes_lists) return 1;
  int longest = 1;
  for (const auto& port : d.node(n).routes[route].inputs) {
    for (const PortType& type : port) longest = std::max(longest, type.max_packets);
  }
  return longest;
}

// The declaration of output `o`; a dynamic port stands for all that follow it.
const PortDeclaration& declaration_of(const NodeDeclaration& node, std::size_t o) {
  return node.outputs[std::min(o, node.outputs.size() - 1)];
}

Status check_output(const PortType& type, const PortDeclaration& declared) {
  if (declared.kind != PortKind::kAny && type.payload != declared.payload)
    return invalid("output '" + type.name + "' is declared as " + std::string(name_of(declared.kind)) +
                   ", but infer_types() makes it " + std::string(name_of(type.kind)));
  if (type.kind != PortKind::kTensor) return {};
  if (!type.tensor)
    return invalid("output '" + type.name + "' is a tensor of unknown type; its node type needs infer_types");
  const auto bytes = byte_size(type.tensor->dtype, type.tensor->shape);
  if (!bytes.ok()) return bytes.status().with_context("output '" + type.name + "': ");
  if (*bytes > 0) return {};
  return invalid("output '" + type.name + "' is " + type.tensor->text() +
                 ", which has no elements; allowed: dimensions of at least 1");
}

// A node emits on the ports that it declares; how many a dynamic one stands for is infer_types' to say.
Status check_output_count(const NodeDeclaration& node, std::size_t types) {
  if (types > kMostOutputs) {
    return invalid("it has " + std::to_string(types) + " outputs, allowed: at most " +
                   std::to_string(kMostOutputs));
  }
  const auto is_dynamic = [](const PortDeclaration& port) { return port.dynamic; };
  const std::size_t declared = node.outputs.size();
  if (types == declared || std::any_of(node.outputs.begin(), node.outputs.end(), is_dynamic)) return {};
  return invalid("infer_types() gives " + std::to_string(types) + " outputs, but its type declares " +
                 std::to_string(declared));
}

Result<std::vector<PortType>> infer_outputs(Draft& d, int n, std::size_t route) {
  std::vector<PortType> types;
  if (d.type(n).infer_types) {
    SLUICE_ASSIGN(types,
                  call_type("infer_types", [&] { return d.type(n).infer_types(RouteContext(d, n, route)); }));
  } else {
    types = declared_outputs(d, n, route);
  }
  SLUICE_RETURN_IF_ERROR(check_output_count(d.type(n), types.size()));
  const int length = list_length(d, n, route);
  for (std::size_t o = 0; o < types.size(); ++o) {
    PortType& type = types[o];
    const PortDeclaration& declared = declaration_of(d.type(n), o);
    if (!type.payload)
      type.payload = type.kind == PortKind::kCustom ? declared.payload : payload_of(type.kind);
    if (type.name.empty() && o < d.type(n).outputs.size()) type.name = declared.name;
    const std::int64_t packets = static_cast<std::int64_t>(std::max(1, type.max_packets)) * length;
    if (packets > static_cast<std::int64_t>(kMostInPool))
      return invalid("output '" + type.name + "' would be lists of up to " + std::to_string(packets) +
                     " packets, allowed: " + std::to_string(kMostInPool) + "; shorten the lists before it");
    type.max_packets = static_cast<int>(packets);
    SLUICE_RETURN_IF_ERROR(check_output(type, declared));
  }
  return types;
}

bool type_outputs(Draft& d, int n) {
  for (std::size_t r = 0; r < d.node(n).routes.size(); ++r) {
    auto types = infer_outputs(d, n, r);
    if (types.ok() && r > 0 && types->size() != d.node(n).routes[0].outputs.size()) {
      types = invalid("variant '" + d.node(n).routes[r].variant + "' gives it another number of outputs");
    }
    if (!types.ok()) {
      const bool named = types.status().message().starts_with("node '");
      d.fail(d.node(n).mark, named ? types.status() : types.status().with_context(d.owner(n) + ": "));
      return false;
    }
    d.node(n).routes[r].outputs = std::move(types).value();
  }
  return true;
}

void list_outputs(Draft& d, int n) {
  NodePlan& node = d.node(n);
  for (const PortType& type : node.routes[0].outputs) node.outputs.push_back({.name = type.name});
  for (const NodeRoute& route : node.routes) {
    for (std::size_t o = 0; o < node.outputs.size(); ++o) {
      node.outputs[o].max_packets = std::max(node.outputs[o].max_packets, route.outputs[o].max_packets);
    }
  }
}

}  // namespace

void type_nodes(Draft& d) {
  for (const int n : std::vector<int>(d.order)) {
    if (!make_edges(d, n)) continue;
    make_routes(d, n);
    if (!convert_inputs(d, n) || !type_outputs(d, n)) continue;
    fold_into_producer(d, n);
    list_outputs(d, n);
    d.draft(n).typed = true;
  }
}

}  // namespace sluice::planning
