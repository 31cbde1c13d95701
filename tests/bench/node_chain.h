// A chain of pass-through nodes as a pipeline has it: planned from YAML, run by NodeBodies with a Context per
// node, pools, times and histograms; fed one frame at a time by the worker that finished the one before.
#pragma once

#include <memory>

namespace sluice::bench {

enum class Chain { kFused, kOneTaskPerNode };

class NodeChain {
 public:
  // Aborts when the plan does not come out as asked.
  NodeChain(Chain chain, int nodes);
  ~NodeChain();
  NodeChain(const NodeChain&) = delete;

  // Seconds for that many frames with one worker and one frame in flight. Once per object.
  double run(int frames);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::bench
