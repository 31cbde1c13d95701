// Which nodes with `device: auto` work on the gpu: those whose readers all are infer nodes that run there
// first.
#include "framework/plan/choose_devices.h"

#include <algorithm>

#include "framework/node/chosen_device.h"
#include "framework/plan/draft.h"

namespace sluice::planning {
namespace {

constexpr const char* kGpu = "gpu";
constexpr const char* kDevice = "device";

bool may_choose(Draft& d, int n) {
  if (!d.draft(n).known || d.draft(n).wrong_options) return false;
  const auto& declared = d.type(n).options;
  const auto option = std::ranges::find(declared, kDevice, &OptionDeclaration::name);
  if (option == declared.end() || std::ranges::find(option->choices, kGpu) == option->choices.end())
    return false;
  return d.node(n).options->text(kDevice) == "auto";
}

bool runs_on_gpu(Draft& d, int n) {
  if (!d.draft(n).known || d.draft(n).wrong_options || !d.type(n).infers) return false;
  const Options& options = *d.node(n).options;
  return options.has("backends") && options.texts("backends").front() == kGpu;
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
  if (const auto& choose = d.type(n).choose_thread) node.thread = choose(*node.options);
  d.say("node '" + node.id + "' works on the gpu: node '" + d.node(reader).id + "' reads its output there");
}

}  // namespace

void choose_devices(Draft& d) {
  for (int n = 0; n < static_cast<int>(d.nodes.size()); ++n) {
    const std::vector<int>& out = d.draft(n).out;
    if (out.empty() || !may_choose(d, n)) continue;
    if (std::ranges::all_of(out, [&](int link) { return runs_on_gpu(d, d.link(link).to); }))
      put_on_gpu(d, n, d.link(out.front()).to);
  }
}

}  // namespace sluice::planning
