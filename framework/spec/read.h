// Value -> GraphSpec, one file per part of the pipeline file. All problems are appended to `issues`; what is
// wrong is left at its default, so that reading goes on.
#pragma once

#include <string>
#include <vector>

#include "framework/spec/spec.h"

namespace sluice {

// `root`: the whole document. Fills all but file and directory; the name only when it is written.
void read_graph(const Value& root, GraphSpec& spec, Issues& issues);

std::vector<ModelSpec> read_models(const Value& models, Issues& issues);
std::vector<NodeSpec> read_nodes(const Value& nodes, Issues& issues);
// `owner`: "node 'pre'".
void read_inputs(const Value& inputs, const std::string& owner, NodeSpec& node, Issues& issues);

}  // namespace sluice
