// What a compiled graph is before it meets a device: slots of memory and launches of kernels, as plain data.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "backends/gpu/ir/graph.h"

namespace sluice::gpu {

using SlotId = int;

// A piece of device memory.
struct Slot {
  std::size_t bytes = 0;
  std::vector<std::byte> constant;  // uploaded once; empty: written by a launch or at the run's start
};

// The element type of what a launch reads: its tensors have one, what it writes has one, and weights may be
// float16.
enum class Stored : std::uint8_t { kAsInput, kAsOutput, kHalfWeights };

// An argument: of a slot (read or written), local memory, or a number.
struct Reads {
  SlotId slot;
  Stored stored = Stored::kAsInput;
};
struct Writes {
  SlotId slot;
};
// Memory that the work items of a group share.
struct Local {
  std::size_t bytes;
};
using Argument = std::variant<Reads, Writes, Local, std::int32_t, float>;

struct Launch {
  std::string unit, kernel;
  std::vector<Argument> arguments;
  std::array<std::size_t, 3> global{1, 1, 1};  // work items, before rounding up to the local size
  int lanes = 4;                               // of the variant of the unit
  // Work items per group along the first two axes; 0: the device's usual. The second divides global[1].
  std::array<std::size_t, 2> group{0, 1};
  bool group_fixed = false;  // the kernel counts on `group`: there is nothing to tune
  bool half_in = false, half_out = false, half_weights = false;  // of the variant, by its arguments
  std::string
      node;  // the model's operator that it is for, or the first of several; empty: an input or output
};

// A tensor that crosses between host and device.
struct Edge {
  SlotId slot = -1;  // in the element type of the host
  std::size_t bytes = 0;
  Dims dims;
};

struct Recipe {
  std::vector<Slot> slots;
  std::vector<Launch> launches;  // in order
  std::vector<Edge> inputs, outputs;
  bool half = false;  // large tensors are float16
  int lanes = 4;
};

}  // namespace sluice::gpu
