// What a sink took and could not keep.
#pragma once

#include <cstdint>

namespace sluice {

// Of a sink whose file is written behind its back (an encoder holds pictures back, a container is readable
// only with its end): how many of the frames that its `process` took are not in the file after all. 0 unless
// writing failed. Asked after `close`, in the thread that ends the run.
class LateLoss {
 public:
  virtual ~LateLoss() = default;
  virtual std::uint64_t unwritten() const = 0;
};

}  // namespace sluice
