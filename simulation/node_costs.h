// What the nodes of a plan cost on a simulated device: which unit they keep busy, and for how long.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/status.h"
#include "framework/plan/plan.h"
#include "inference/selector/candidate.h"
#include "simulation/device.h"

namespace sluice {

// How an infer node runs now. A controller may set another one between two frames.
struct InferChoice {
  std::string backend;
  std::string variant;           // empty: the model's own path
  std::string performance_mode;  // empty: `balanced` of htp, else the backend's first
  double rate_hz = 0;            // of the ladder: frames beyond this are filtered; 0: all
  int step = 0;                  // of the ladder
  std::string reason;
};

// What a measured report (`--timings`) says of a node.
struct NodeTiming {
  double ms = 0;
  std::string backend;  // of an infer node, whose other backends keep the profile's time; empty: of all
  std::string performance_mode;  // in which it was measured; empty: the backend's usual one
};
using Timings = std::map<std::string, NodeTiming>;  // by node id

// The median busy time of each node of a report (contract section 5). kInvalid: no such file, no report.
Result<Timings> read_timings(const std::string& path);

class NodeCosts {
 public:
  // kUnavailable, one line per model and backend: the profile has no latency for it and its MACs are unknown.
  // Both outlive this.
  static Result<NodeCosts> create(const Plan& plan, const DeviceProfile& profile, const Timings& timings);

  // Of a node that is no infer node.
  const Work& work(int node) const { return works_[static_cast<std::size_t>(node)]; }
  // Of an infer node under a choice. kUnavailable: this device cannot run it so, and why.
  Result<Work> infer_work(int node, const InferChoice& choice) const;
  // Where the latency behind `infer_work` comes from.
  Basis basis(int node, const InferChoice& choice) const;
  // The first entry of the node's `backends` that this device has, with the model's own path (policy fixed);
  // what was skipped goes to `warnings`. kUnavailable: none, or `on_fallback: error` and one was skipped.
  Result<InferChoice> first_choice(int node, std::vector<std::string>& warnings) const;
  // Modes of a backend, in the profile's order; empty when it has none.
  std::vector<std::string> modes(const std::string& backend) const;

 private:
  NodeCosts(const Plan& plan, const DeviceProfile& profile, const Timings& timings)
      : plan_(&plan), profile_(&profile), timings_(timings) {}
  Status look_at_models();
  Work node_work(const NodePlan& node) const;
  Work fake_work(const NodePlan& node) const;
  std::string usual_mode(const std::string& backend) const;
  Result<double> speed_of(const BackendProfile& backend, const std::string& mode) const;

  // A model file as the device sees it.
  struct ModelFacts {
    std::string stem;            // file name without folder and extension
    std::optional<double> macs;  // per run
    std::string why_no_macs;
  };
  const ModelFacts& facts(int model, const std::string& variant) const;
  // None: the report says nothing of this node on this backend.
  const NodeTiming* timing(const NodePlan& node, const std::string& backend) const;
  // At full speed.
  double measured_ms(const NodeTiming& timing, const BackendProfile& backend) const;
  const ModelProfile* listed(const ModelFacts& model, const BackendProfile& backend) const;
  // Compute time at full speed, without the backend's overhead.
  Result<double> latency_ms(const ModelFacts& model, const BackendProfile& backend) const;

  const Plan* plan_;
  const DeviceProfile* profile_;
  Timings timings_;
  std::vector<Work> works_;                                  // by node
  std::vector<int> models_;                                  // by node: index into Plan::models, -1
  std::map<std::pair<int, std::string>, ModelFacts> facts_;  // by model and variant
};

}  // namespace sluice
