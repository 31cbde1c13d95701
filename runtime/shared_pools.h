// Which buffers lie in memory that an accelerator shares: those that an infer node reads or writes one of
// whose backends offers such memory. Private to runtime.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "framework/core/memory_source.h"
#include "framework/plan/plan.h"
#include "inference/services.h"

namespace sluice {

class SharedPools {
 public:
  // Asks the backends, which may load their libraries. What they cannot offer is no error: buffers are the
  // process's own then, and `absent` says why.
  SharedPools(const Plan& plan, const InferenceServices& services);
  // For the buffers of this output; null: the process's own memory.
  std::shared_ptr<MemorySource> memory_of(int node, int output) const;
  // Whether any node lists a backend that can share memory at all.
  bool asked() const { return asked_; }
  // Why there is none, in the backend's words; empty: nobody was refused.
  const std::string& absent() const { return absent_; }

 private:
  void ask(const Plan& plan, const InferenceServices& services, int node);
  void mark(const Plan& plan, int node, int output, const std::shared_ptr<MemorySource>& source);

  std::map<std::pair<int, int>, std::shared_ptr<MemorySource>> sources_;  // by node and output
  bool asked_ = false;
  std::string absent_;
};

}  // namespace sluice
