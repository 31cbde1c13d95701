// Random pipelines as an author would write them, planned by the real planner, with nodes that make, pass on,
// edit, join and turn away.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "framework/node/node.h"
#include "framework/plan/plan.h"

namespace sluice::testing {

// What nodes found wrong with what they were given. Any thread.
class Complaints {
 public:
  void add(std::string text) {
    std::lock_guard lock(mutex_);
    all_.push_back(std::move(text));
  }
  const std::vector<std::string>& all() const { return all_; }

 private:
  std::mutex mutex_;
  std::vector<std::string> all_;
};

struct RandomPipeline {
  std::string text;  // of the pipeline file
  std::shared_ptr<const Plan> plan;
};

// Plans a pipeline file of the types there are here, for a machine of `cores`. Throws std::logic_error, with
// the text, when the planner refuses it.
//
// A type's name ends in how its nodes run: _w (worker), _p (several frames at once), _o (own thread), _c
// (chained with its neighbours). All inputs but the second ones (`more`) must be there:
//   source_o, source_d  frames; nobody may edit those of source_d
//   make1 .. make4      in -> o0, o2: detections, o1, o3: pictures
//   join                in, more -> o0: detections, o1: pictures
//   many                in -> o0: up to three detections, o1: pictures
//   infer               in -> o0, o1: detections; option concurrency
//   pass, filter        in -> o0: the same; filter turns some frames away
//   switch              in -> o0, o1: the same, some frames on one of them only
//   carry               in, more -> o0: what came in at `in`, o1: detections
//   edit                in: pictures, more -> o0: the picture, edited, o1: detections
//   sink, view          in; view observes
RandomPipeline planned(const std::string& text, int cores);

// The same for the same seed; odd seeds are lossless.
RandomPipeline random_pipeline(std::uint64_t seed);

// A node for each entry of plan.nodes (null for sources). They complain of exact inputs that are missing or
// of another frame, and make their outputs in an order that differs by frame. `plan` and `complaints` outlive
// them.
std::vector<std::unique_ptr<Node>> make_random_nodes(const Plan& plan, Complaints& complaints);

// A number that looks random, the same for the same two.
std::uint64_t mixed(std::uint64_t a, std::uint64_t b);

}  // namespace sluice::testing
