// Turns nodes into launches: knows in which layouts each value is at hand and converts when asked.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backends/gpu/ir/graph.h"
#include "backends/gpu/plan/recipe.h"
#include "framework/core/status.h"

namespace sluice::gpu {

// A value seen as [n][channels][pixels]; rank 2 and above.
struct Planes {
  std::int64_t n = 1, channels = 1, pixels = 1;
  std::int64_t groups() const { return (channels + 3) / 4; }
};
Planes planes_of(const Dims& dims);

class Builder {
 public:
  // `half`: tensors of at least a quarter of the largest one's elements are float16, the others, which take
  // little memory and time, float32. `lanes`: the kernel set, 4 or 16. `widest`: output channels that a
  // convolution may make per work item, 8, 16 or, in the set of 16, 32 (device/devices.h).
  Builder(const Graph& graph, bool half, int lanes, int widest = 16);

  const Graph& graph() const { return graph_; }
  int lanes() const { return recipe_.lanes; }
  int widest() const { return widest_; }

  // Before the launches of `node`: what they read is of the element type in which its largest input is at
  // hand.
  void begin(const Node& node);
  // The value's memory for reading, converted or uploaded when it is not at hand in that layout and type.
  SlotId plain(ValueId id) { return plain(id, reads_half_); }
  SlotId packed(ValueId id) { return packed(id, reads_half_); }
  // In the element type of what is written to `y`.
  Reads packed_like(SlotId y, ValueId id) { return {packed(id, is_half(y)), Stored::kAsOutput}; }
  bool has_plain(ValueId id) const;
  bool has_packed(ValueId id) const;
  // The value's memory for writing; from then on it is at hand.
  SlotId make_plain(ValueId id);
  SlotId make_packed(ValueId id);
  // Makes room for `out` behind `first`, whose channels are the first of `out`'s: both are then at hand
  // packed in one memory, and nothing is copied. Nothing when that cannot be, else the memory for writing the
  // other channels.
  std::optional<SlotId> extend_packed(ValueId out, ValueId first);
  // `out` is `in` under another shape; no launch.
  void alias(ValueId out, ValueId in);
  // Slots that are no value, padded to 64 bytes.
  SlotId floats(std::span<const float> elements);   // of the type that the launches read
  SlotId singles(std::span<const float> elements);  // float32
  // Of a convolution: float32, unless tensors are float16 and these are so many that their memory counts.
  Reads weights(std::span<const float> elements);
  SlotId integers(std::span<const std::int32_t> elements);
  SlotId scratch(std::int64_t elements) { return tensor(elements, reads_half_); }
  SlotId scratch_like(SlotId y, std::int64_t elements) { return tensor(elements, is_half(y)); }
  SlotId nothing();  // for an argument that the kernel does not read

  void launch(std::string unit, std::string kernel, std::vector<Argument> arguments,
              std::initializer_list<std::int64_t> global) {
    launch(std::move(unit), std::move(kernel), std::move(arguments), recipe_.lanes, global);
  }
  // `group`: the work items of a group that the kernel counts on; none: any.
  void launch(std::string unit, std::string kernel, std::vector<Argument> arguments, int lanes,
              std::initializer_list<std::int64_t> global,
              std::optional<std::array<std::size_t, 2>> group = {});

  // Declares what the host gives and takes; call for all inputs before, and all outputs after lowering.
  // An error: of a type that kernels do not know.
  Status add_input(ValueId id);
  Status add_output(ValueId id);

  Recipe take() && { return std::move(recipe_); }

 private:
  struct Places {
    SlotId plain = -1, packed = -1;
    bool any() const { return plain >= 0 || packed >= 0; }
  };
  // What a slot holds: tensors of a launch, or what is of one type always.
  enum class Holds : std::uint8_t { kOther, kFloats, kHalves };
  SlotId add_slot(std::size_t bytes, std::vector<std::byte> constant = {}, Holds holds = Holds::kOther);
  SlotId tensor(std::int64_t elements, bool half);
  SlotId plain(ValueId id, bool half);
  SlotId packed(ValueId id, bool half);
  bool is_half(SlotId slot) const { return holds_[static_cast<std::size_t>(slot)] == Holds::kHalves; }
  void choose_types();
  bool at_hand_as_half(ValueId id) const;
  void set_variant(Launch& launch) const;
  void convert(const char* kernel, const Planes& planes, SlotId from, SlotId to);
  SlotId cast(SlotId from, std::int64_t elements);
  Status convert_edge(const char* kernel, const Value& value, SlotId from, SlotId to);
  Places& places(ValueId id, bool half) { return places_[half ? 1 : 0][static_cast<std::size_t>(id)]; }
  const Places& places(ValueId id, bool half) const {
    return places_[half ? 1 : 0][static_cast<std::size_t>(id)];
  }
  bool written_half(ValueId id) const { return written_half_[static_cast<std::size_t>(id)]; }

  const Graph& graph_;
  const int widest_;
  Recipe recipe_;
  std::vector<Holds> holds_;                   // by slot
  std::vector<bool> written_half_;             // by value: of the type in which its node writes it
  bool reads_half_ = false;                    // of the node whose launches are made
  std::string node_;                           // its name
  std::array<std::vector<Places>, 2> places_;  // as float32 and as float16
  std::map<SlotId, ValueId> extended_;         // which value reaches to the memory's end
  SlotId nothing_ = -1;
};

inline std::int32_t narrow(std::int64_t value) { return static_cast<std::int32_t>(value); }

}  // namespace sluice::gpu
