// Which nodes with `device: auto` work on the gpu: those whose readers all are infer nodes that run there
// first, and whose tensors are not quantised: the gpu counts no values that the range does not hold.
#include "framework/plan/choose_devices.h"

#include <algorithm>

#include "framework/node/chosen_device.h"
#include "framework/plan/draft.h"

namespace sluice::planning {
namespace {

constexpr const char* kGpu = "gpu";
constexpr const char* kDevice = "device";

bool may_choose(const NodePlan& node) {
  const auto& declared = node.declaration->options;
  const auto option = std::ranges::find(declared, kDevice, &OptionDeclaration::name);
  if (option == declared.end() || std::ranges::find(option->choices, kGpu) == option->choices.end())
    return false;
  return node.options->text(kDevice) == "auto";
}

bool quantised(const NodePlan& node) {
  return std::ranges::any_of(node.routes, [](const NodeRoute& route) {
    return std::ranges::any_of(route.outputs,
                               [](const PortType& port) { return port.tensor && port.tensor->quant; });
  });
}

bool runs_on_gpu(const NodePlan& node) {
  const Options& options = *node.options;
  return node.declaration->infers && options.has("backends") && options.texts("backends").front() == kGpu;
}

// Which of the OpenCL devices the node names.
std::string gpu_of(const Options& options) {
  if (!options.has(kGpu)) return "auto";
  const Options gpu(options.map(kGpu));
  return gpu.has(kDevice) ? gpu.text(kDevice) : "auto";
}

void put_on_gpu(Draft& d, int n, int reader) {
  NodePlan& node = d.node(n);
  OptionMap values = node.options->all();
  values[std::string(kChosenDevice)] = OptionValue{std::string(kGpu)};
  if (gpu_of(*node.options) == "auto")
    values[kGpu] = OptionValue{OptionMap{{kDevice, OptionValue{gpu_of(*d.node(reader).options)}}}};
  node.options = std::make_shared<const Options>(std::move(values));
  if (const auto& choose = node.declaration->choose_thread) node.thread = choose(*node.options);
  d.say("node '" + node.id + "' works on the gpu: node '" + d.node(reader).id + "' reads its output there");
}

}  // namespace

void choose_devices(Draft& d) {
  for (int n = 0; n < static_cast<int>(d.plan->nodes.size()); ++n) {
    if (!may_choose(d.node(n)) || quantised(d.node(n))) continue;
    std::vector<int> readers;
    for (const PlanEdge& edge : d.plan->edges)
      if (edge.from_node == n) readers.push_back(edge.to_node);
    if (readers.empty()) continue;
    if (std::ranges::all_of(readers, [&](int reader) { return runs_on_gpu(d.node(reader)); }))
      put_on_gpu(d, n, readers.front());
  }
}

}  // namespace sluice::planning
