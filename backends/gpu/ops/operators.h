// The operators that run on the GPU, one line each in operators.cc: what of it can run, and how it becomes
// launches.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "backends/gpu/ir/graph.h"
#include "backends/gpu/plan/builder.h"
#include "framework/core/status.h"

namespace sluice::gpu {

// Empty when it can run; else why not, as the rest of "node 'x' (Conv) ...".
using CheckOperator = std::string (*)(const Graph&, const Node&);
using LowerOperator = Status (*)(Builder&, const Node&);

struct Operator {
  std::string_view name;
  CheckOperator check;
  LowerOperator lower;  // null: fusion has turned it into something else
};

std::span<const Operator> operators();
const Operator* find_operator(std::string_view name);

// Everything that must hold for `node` to run here. Empty: it can.
std::string why_not(const Graph& graph, const Node& node);

}  // namespace sluice::gpu
