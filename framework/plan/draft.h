// Draft: a plan in the making, and the passes that make it. Each pass reports all its errors; the stage
// 'file' ends after decide_mode, the stage 'models' after size_pools (contract section 3 rule 9).
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/suggest.h"
#include "framework/plan/option_reader.h"
#include "framework/plan/plan.h"

namespace sluice::planning {

// One written input, resolved as far as the file alone allows: outputs named by a model are matched later.
struct Link {
  int from = 0;
  int from_port = 0;        // declared output of `from`; kNamedByModel: output `from_name` of a dynamic port
  bool whole_node = false;  // all outputs of `from`, into a set
  std::string from_name;
  int to = 0;
  int to_port = 0;
  std::string element;
  const InputSpec* spec = nullptr;
};
constexpr int kNamedByModel = -1;

struct DraftNode {
  const NodeSpec* spec = nullptr;  // null for inserted nodes
  bool known = false;              // its type exists (else nothing about it is checked)
  bool mentioned = false;          // some input names it, rightly or not
  bool wrong_inputs = false;       // an input was reported: do not report it as missing too
  bool wrong_options = false;
  std::set<std::string, std::less<>> overridden;  // options that --set gives
  std::vector<int> in;                            // Draft::links
  std::vector<int> out;
  std::vector<PortKind> output_kinds;  // declared ports; `any` outputs resolved
  std::vector<const PayloadType*> output_payloads;
  int model = -1;      // index into Plan::models that its first model option names
  int batch = 1;       // of infer nodes
  bool typed = false;  // its outputs' types are known
};

// The signatures of one model, by variant; [0] is the model's own path.
struct ModelRoutes {
  std::vector<ModelSignature> variants;
  bool usable = false;
};

struct Draft {
  const GraphSpec& spec;
  const PlanInputs& inputs;
  std::shared_ptr<Plan> plan = std::make_shared<Plan>();
  Issues issues;

  std::vector<DraftNode> nodes;  // parallel to plan->nodes
  std::vector<Link> links;
  std::map<std::string, int, std::less<>> node_index;
  std::map<std::string, std::shared_ptr<const NodeDeclaration>, std::less<>> types;
  bool incomplete = false;          // the spec itself was not right (reported by its parser): no plan
  std::vector<int> order;           // topological, over exact and latest links; later inserted nodes included
  std::vector<ModelRoutes> models;  // parallel to plan->models
  std::vector<const InputSpec*> edge_specs;  // parallel to plan->edges; null: the plan's own

  NodePlan& node(int index) { return plan->nodes[static_cast<std::size_t>(index)]; }
  const NodeDeclaration& type(int index) const {
    return *plan->nodes[static_cast<std::size_t>(index)].declaration;
  }
  DraftNode& draft(int index) { return nodes[static_cast<std::size_t>(index)]; }
  PlanEdge& edge(int index) { return plan->edges[static_cast<std::size_t>(index)]; }
  Link& link(int index) { return links[static_cast<std::size_t>(index)]; }
  std::string owner(int index) { return "node " + in_quotes(node(index).id); }

  void error(Mark mark, std::string message) { issues.push_back({mark, std::move(message)}); }
  void warn(Mark mark, std::string message) {
    issues.push_back({mark, std::move(message), Code::kInvalid, true});
  }
  // A model that cannot be used is one; whatever else a node type says is wrong is an invalid file.
  void fail(Mark mark, const Status& status) {
    const bool unavailable = status.code() == Code::kUnavailable;
    issues.push_back({mark, status.message(), unavailable ? Code::kUnavailable : Code::kInvalid});
  }
  void say(std::string sentence) { plan->adjustments.push_back(std::move(sentence)); }
  bool failed() const;
  // The declaration of a type, shared by the plan's nodes; null when the registry has none.
  std::shared_ptr<const NodeDeclaration> find_type(std::string_view name);
};

// Stage 'file'.
void read_sections(Draft& draft);  // selector, backends, device
void list_models(Draft& draft);    // paths and marks; nothing is opened
void read_nodes(Draft& draft);     // types, options, --set, --pace
void link_nodes(Draft& draft);     // inputs -> links
void check_graph(Draft& draft);    // cycles, kinds, missing inputs, sources, unused nodes
void check_sinks(Draft& draft);    // two on one path
void decide_mode(Draft& draft);    // sources, realtime or lossless, what contradicts it
void check_infer(Draft& draft);    // nodes that share a session, ladders

// Stage 'models'.
void read_models(Draft& draft);   // signatures, batches
void list_choices(Draft& draft);  // variants in use
void type_nodes(Draft& draft);    // links -> edges; types per route; conversions
void size_flow(Draft& draft);     // units, concurrency, capacities, credits, slots
void size_pools(Draft& draft);    // in-place writing, buffers, bytes

// ---- shared by several passes ----

// Whether `--set` names this option of the node, such as "degrade" or "htp.soc": its value has no place in
// the file.
bool is_set(const Draft& draft, int node, std::string_view option);
// Refuses a top-level option of the node where it was written: in the file, at the node when it is not there,
// or by `--set`. `why` names the option.
void refuse_option(Draft& draft, int node, std::string_view option, const Status& why);
std::string_view variant_name(const Draft& draft, int choice, std::size_t route);
// The signature of `model` for a node whose route is `route` of `choice`.
const ModelSignature& signature(const Draft& draft, int model, int choice, std::size_t route);
// Which input of its model an infer node's link feeds; -1: none fits.
int model_input(Draft& draft, int link);
// What an infer node's link is to carry in a route of that node; null: none fits.
const TensorType* wanted(Draft& draft, int link, std::size_t route);
bool is_end(const NodeDeclaration& type);  // a sink or an observer
// All nodes, inserted ones included; producers before consumers.
std::vector<int> topological(const Plan& plan);
// By node: whether a counting end of its source is reached over exact edges (itself included). Where none is,
// a frame gives its credit back without waiting for the node.
std::vector<bool> leads_to_due(const Plan& plan);
// Per source: the nodes whose data or absence makes a frame done (contract section 3 rule 4).
std::vector<int> due_nodes(const Plan& plan, int source);
// Whether the packets of the first input leave the node as they came (its outputs are `any`).
bool forwards_type(const NodeDeclaration& type);
// Indices of the exact edges into `node`.
std::vector<int> exact_inputs(const Plan& plan, int node);
// Milliseconds of the file, at most about 30 years.
TimeNs to_ns(double milliseconds);
std::string joined(const std::vector<std::string>& parts, std::string_view separator);

}  // namespace sluice::planning
