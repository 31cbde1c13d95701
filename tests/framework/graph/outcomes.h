// Outcomes of bodies that compute nothing.
#pragma once

#include <span>

#include "framework/graph/flow_core.h"

namespace sluice::testing {

// Of a unit of one node: data, one packet, said to have taken a microsecond.
inline Outcome one_packet() {
  static constexpr NodeRun kRun{1000, 1, 0};
  Outcome out;
  out.runs = std::span(&kRun, 1);
  return out;
}

}  // namespace sluice::testing
