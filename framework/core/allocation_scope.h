// Counts what Sluice's own code allocates: a thread-local scope around node bodies, flow core and selector,
// suspended inside codecs, inference engines and JSON text (contract section 5). The counting `operator new`
// and malloc hooks live in the programs (runtime/allocation_counter.cc); here is only the mark.
#pragma once

#include <cstdint>

namespace sluice {

// 0: foreign code runs; > 0: ours. Read by the allocation hook.
inline thread_local int own_code_depth = 0;

class OwnCode {
 public:
  OwnCode() { ++own_code_depth; }
  ~OwnCode() { --own_code_depth; }
  OwnCode(const OwnCode&) = delete;
};

// Every use of it is listed in tests/allocation_scopes.txt (at most 8 wrapper calls).
class ForeignCode {
 public:
  ForeignCode() : depth_(own_code_depth) { own_code_depth = 0; }
  ~ForeignCode() { own_code_depth = depth_; }
  ForeignCode(const ForeignCode&) = delete;

 private:
  int depth_;
};

}  // namespace sluice
