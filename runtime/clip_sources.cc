#include "runtime/clip_sources.h"

#include <utility>
#include <vector>

namespace sluice {
namespace {

class Search {
 public:
  Search(const Plan& plan, const InferenceServices& services)
      : plan_(plan), services_(services), seen_(plan.nodes.size()) {}

  std::vector<const ClipMeter*> writers_of(const NodePlan& node) {
    add_inputs(node);
    return std::move(found_);
  }

 private:
  void add_inputs(const NodePlan& node) {
    for (std::size_t port = 0; port < node.inputs.size(); ++port)
      for (std::size_t edge = 0; edge < node.inputs[port].size(); ++edge) {
        const PortType& type = node.routes.front().inputs.at(port).at(edge);
        const int from = plan_.edges[static_cast<std::size_t>(node.inputs[port][edge])].from_node;
        if (type.tensor && type.tensor->quant) add(static_cast<std::size_t>(from));
      }
  }
  void add(std::size_t n) {
    if (std::exchange(seen_[n], char{1}) != 0) return;
    const NodePlan& node = plan_.nodes[n];
    if (const ClipMeter* meter = services_.clip_meter(node.id)) return found_.push_back(meter);
    if (!services_.record(node.id)) add_inputs(node);  // another model's outputs are its own
  }

  const Plan& plan_;
  const InferenceServices& services_;
  std::vector<char> seen_;  // by node
  std::vector<const ClipMeter*> found_;
};

}  // namespace

void connect_clip_meters(const Plan& plan, const InferenceServices& services) {
  for (const NodePlan& node : plan.nodes)
    if (InferenceRecord* record = services.record(node.id))
      record->judge_inputs_by(Search(plan, services).writers_of(node));
}

}  // namespace sluice
