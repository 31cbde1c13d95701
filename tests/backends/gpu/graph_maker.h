// A graph of the backend's own words, written by hand.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "backends/gpu/ir/graph.h"

namespace sluice::gpu {

class GraphMaker {
 public:
  Graph graph;
  ValueId value(const std::string& name, Dims dims) {
    graph.values.push_back(
        {.name = name, .dims = std::move(dims), .known = true, .data = nullptr, .owned = nullptr});
    return static_cast<ValueId>(graph.values.size()) - 1;
  }
  ValueId constant(Dims dims, float element = 1) {
    const std::vector<float> elements(static_cast<std::size_t>(product(dims)), element);
    return add_constant(graph, "constant", dims, elements);
  }
  ValueId node(const std::string& op, std::vector<ValueId> inputs, Dims dims,
               std::map<std::string, Attribute> attributes = {}) {
    Node node;
    node.op = op;
    node.name = op + std::to_string(graph.nodes.size());
    node.since = 13;
    node.inputs = std::move(inputs);
    node.outputs = {value(node.name, std::move(dims))};
    node.attributes = std::move(attributes);
    graph.nodes.push_back(node);
    return node.outputs[0];
  }
  std::vector<std::string> operators() const {
    std::vector<std::string> out;
    out.reserve(graph.nodes.size());
    for (const Node& node : graph.nodes) out.push_back(node.op);
    return out;
  }
};

}  // namespace sluice::gpu
