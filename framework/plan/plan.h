// Plan: what will run, decided before anything runs. Immutable; names are indices, types are known, sizes are
// bounded.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/clock.h"
#include "framework/node/node.h"
#include "framework/node/registry.h"
#include "framework/spec/spec.h"

namespace sluice {

// One edge after resolution. Ports are indices into the declaration; `from_output` into the node's expanded
// outputs (dynamic ports: one entry per model output), `to_edge` counts the edges of one input port.
struct PlanEdge {
  int from_node = 0;
  int from_output = 0;
  int to_node = 0;
  int to_port = 0;
  int to_edge = 0;
  std::string element;  // name given by the file for a dynamic port or set; empty: none
  bool latest = false;
  TimeNs max_age = 0;  // latest: 0 = never too old
  int capacity = 0;    // exact: frames that wait for the node; 0 = bounded by the credits alone
  WhenFull when_full = WhenFull::kBlock;
};

struct OutputPlan {
  std::string name;
  int max_packets = 1;  // per frame
  std::size_t buffer_bytes =
      0;            // largest over all routes; 0: no buffer (detections) or fixed at the probe (frames)
  int buffers = 0;  // packets that can be out at once: the pool's size
  bool pooled_copy_for_edit = false;  // this node's edits() input is shared: it gets a copy from this pool
  int edited_input = -1;              // the edits() input whose packet, or its copy, leaves here; -1: none
};

struct NodePlan {
  std::string id;
  Mark mark;
  std::shared_ptr<const NodeDeclaration> declaration;
  OptionsPtr options;
  int file_index = 0;               // position in the file (inserted nodes: that of the node they serve)
  std::string inserted;             // why the plan added it; empty: the user wrote it
  std::vector<std::string> folded;  // what was folded into it ("quantize uint8 scale ...")
  ThreadKind thread = ThreadKind::kWorker;
  int concurrency = 1;  // frames at once
  bool stop_on_error = false;
  int source = -1;  // index into Plan::sources of the source it descends from over exact edges
  std::vector<std::vector<int>> inputs;  // [port][edge] -> index into Plan::edges
  std::vector<OutputPlan> outputs;
  std::vector<NodeRoute> routes;  // at least one
  int unit = -1;                  // the flow core's unit (chain) it belongs to
  int choice = -1;  // index into Plan::choices that picks the route; -1: one route for every frame
};

// A choice that each frame carries: which variant of a model it takes. Made when the frame reaches the first
// node with this choice (preprocess, infer, detect of one model), it holds for all of them.
struct RouteChoice {
  int model = 0;                      // index into Plan::models
  std::vector<std::string> variants;  // by route index; "" first: the model's own path
  std::vector<int> infer_nodes;       // who runs the model
};

// Nodes that run as one task: a single node, or a linear chain of cheap serial worker nodes.
struct UnitPlan {
  std::vector<int> nodes;  // in order; only the last one's outputs leave the unit
  int source = -1;         // index into Plan::sources
  int concurrency = 1;     // frames at once
  // Frames that may wait for it, all their exact inputs having spoken: what is written at its exact inputs
  // (the smallest wins), else the smallest default among them. 0: bounded by the credits alone.
  int capacity = 0;
  WhenFull when_full = WhenFull::kBlock;
  // Realtime, where no sink waits for it: frames that may wait for an older one, which they overtook in a
  // parallel node before it. 0: bounded by the credits.
  int may_overtake = 0;
};

struct SourcePlan {
  int node = 0;
  int credits = 1;   // frames inside the graph at once
  int slots = 1;     // frame records: credits + what slow branches hold beyond them
  std::string pace;  // "realtime", "max" or a number: as the run will do it
  bool live = false;
};

// What the file stage knows of a source without opening it.
struct SourceTraits {
  bool live = false;
  bool paced = false;  // pace realtime or a number
};

struct ModelPlan {
  std::string name;
  std::string path;  // absolute or relative to the working directory; ready to open
  std::string sha256;
  struct Variant {
    std::string name, path, sha256;
    double snr_db = 0;
    bool snr_known = false;
  };
  std::vector<Variant> variants;
  std::vector<std::pair<std::string, std::int64_t>> dims;
  Mark path_mark;
};

struct Plan {
  std::string file;
  std::string directory;
  std::string name;
  bool lossless = false;
  TimeNs deadline = 0;  // 0 = none
  std::vector<ModelPlan> models;
  std::vector<NodePlan> nodes;
  std::vector<PlanEdge> edges;
  std::vector<UnitPlan> units;
  std::vector<SourcePlan> sources;
  std::vector<RouteChoice> choices;
  std::vector<std::string> adjustments;  // everything the plan decided that the file did not say
  OptionMap selector, backends, device;  // defaults filled in
  std::size_t planned_bytes = 0;         // worst case of all pools known so far
};

// How the plan learns of models without knowing the inference room. kUnavailable (exit 3) when missing or
// broken.
using ReadSignature = std::function<Result<ModelSignature>(const ModelPlan&, std::string_view variant)>;
// How it learns whether a source is live, from its options (nodes room).
using AskSource = std::function<SourceTraits(const std::string& type, const Options&)>;

struct PlanInputs {
  const Registry* registry = nullptr;
  ReadSignature read_signature;
  AskSource ask_source;
  // Overrides from the command line, as written: {"node.option", value}; resolved against the working
  // directory.
  std::vector<std::pair<std::string, std::string>> set;
  std::optional<std::string> pace;  // --pace
  int cores = 0;                    // for `concurrency: auto`; 0: this machine's
};

struct PlanResult {
  std::shared_ptr<const Plan> plan;  // null when there are errors
  Issues issues;
};

// Stages 'file' and 'models' of contract section 3 rule 9; each reports all its errors.
PlanResult make_plan(const GraphSpec& spec, const PlanInputs& inputs);

// One option given at run time, through the same parser and checks (`live` ones only).
Result<OptionsPtr> set_option(const NodePlan& node, std::string_view option, std::string_view value);

// The whole option map of a declaration from a written value; problems are appended to `issues`, prefixed
// "node 'pre': option 'fit' ...". `base` resolves relative paths.
OptionMap parse_options(const std::string& owner, const std::deque<OptionDeclaration>& declared,
                        const Value& written, const std::string& base, Issues& issues);

}  // namespace sluice
