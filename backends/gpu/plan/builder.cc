#include "backends/gpu/plan/builder.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "backends/gpu/device/element_type.h"
#include "backends/gpu/kernels/element_types.h"
#include "framework/core/half.h"

namespace sluice::gpu {
namespace {

// Of weights: below it they stay float32. Fewer of them make more of the error, as each output is a sum of
// fewer products, and save little memory.
constexpr std::size_t kManyWeights = std::size_t{1} << 18;
constexpr std::size_t kWidest = 64;  // bytes that a kernel may touch at once: buffers are rounded up to it

constexpr std::int64_t kSmallTensors = 4;  // a tensor is small below the largest one divided by it

std::size_t rounded(std::size_t bytes) { return (bytes + kWidest - 1) / kWidest * kWidest; }

std::size_t bytes_of(bool half) { return half ? sizeof(std::uint16_t) : sizeof(float); }

std::int64_t packed_elements(const Planes& planes) { return planes.n * planes.groups() * 4 * planes.pixels; }

std::vector<std::byte> float_bytes(std::span<const float> elements) {
  std::vector<std::byte> bytes(rounded(elements.size_bytes()));
  std::memcpy(bytes.data(), elements.data(), elements.size_bytes());
  return bytes;
}

std::vector<std::byte> half_bytes(std::span<const float> elements) {
  std::vector<std::byte> bytes(rounded(elements.size() * bytes_of(true)));
  to_half(elements.data(), elements.size(), reinterpret_cast<std::uint16_t*>(bytes.data()));
  return bytes;
}

// One pixel and whole groups: both layouts are the same bytes.
bool same_in_both(const Planes& planes) { return planes.pixels == 1 && planes.channels % 4 == 0; }

}  // namespace

Planes planes_of(const Dims& dims) {
  Planes planes;
  if (dims.size() < 2) return planes;
  planes.n = dims[0];
  planes.channels = dims[1];
  planes.pixels = product(std::span(dims).subspan(2));
  return planes;
}

Builder::Builder(const Graph& graph, bool half, int lanes, int widest)
    : graph_(graph), widest_(widest), written_half_(graph.values.size(), false) {
  for (auto& places : places_) places.resize(graph.values.size());
  recipe_.half = half;
  recipe_.lanes = lanes;
  if (half) choose_types();
}

// All outputs of a node alike: a launch writes one type.
void Builder::choose_types() {
  std::int64_t largest = 0;
  for (const Node& node : graph_.nodes) largest = std::max(largest, graph_.output(node).count());
  for (const Node& node : graph_.nodes)
    for (const ValueId id : node.outputs)
      if (id != kNone)
        written_half_[static_cast<std::size_t>(id)] = graph_.output(node).count() >= largest / kSmallTensors;
}

bool Builder::at_hand_as_half(ValueId id) const {
  if (places(id, true).any() == places(id, false).any()) return written_half(id);
  return places(id, true).any();
}

void Builder::begin(const Node& node) {
  node_ = node.name.empty() ? graph_.output(node).name : node.name;
  ValueId largest = kNone;
  for (const ValueId id : node.inputs) {
    if (id == kNone || graph_.value(id).constant()) continue;
    if (largest == kNone || graph_.value(id).count() > graph_.value(largest).count()) largest = id;
  }
  reads_half_ = largest == kNone ? written_half(node.outputs[0]) : at_hand_as_half(largest);
}

SlotId Builder::add_slot(std::size_t bytes, std::vector<std::byte> constant, Holds holds) {
  recipe_.slots.push_back({rounded(bytes), std::move(constant)});
  holds_.push_back(holds);
  return static_cast<SlotId>(recipe_.slots.size()) - 1;
}

SlotId Builder::tensor(std::int64_t elements, bool half) {
  return add_slot(static_cast<std::size_t>(elements) * bytes_of(half), {},
                  half ? Holds::kHalves : Holds::kFloats);
}

SlotId Builder::floats(std::span<const float> elements) {
  std::vector<std::byte> bytes = reads_half_ ? half_bytes(elements) : float_bytes(elements);
  const std::size_t size = bytes.size();
  return add_slot(size, std::move(bytes), reads_half_ ? Holds::kHalves : Holds::kFloats);
}

SlotId Builder::singles(std::span<const float> elements) {
  std::vector<std::byte> bytes = float_bytes(elements);
  const std::size_t size = bytes.size();
  return add_slot(size, std::move(bytes));
}

Reads Builder::weights(std::span<const float> elements) {
  if (!recipe_.half || elements.size() < kManyWeights) return {singles(elements)};
  std::vector<std::byte> bytes = half_bytes(elements);
  const std::size_t size = bytes.size();
  return {add_slot(size, std::move(bytes)), Stored::kHalfWeights};
}

SlotId Builder::integers(std::span<const std::int32_t> elements) {
  std::vector<std::byte> bytes(rounded(elements.size_bytes()));
  std::memcpy(bytes.data(), elements.data(), elements.size_bytes());
  const std::size_t size = bytes.size();
  return add_slot(size, std::move(bytes));
}

SlotId Builder::nothing() {
  if (nothing_ < 0) nothing_ = singles(std::vector<float>(16, 0.0F));  // zeros as float16 too
  return nothing_;
}

bool Builder::has_plain(ValueId id) const {
  return places(id, false).plain >= 0 || places(id, true).plain >= 0 || graph_.value(id).constant();
}
bool Builder::has_packed(ValueId id) const {
  return places(id, false).packed >= 0 || places(id, true).packed >= 0;
}

SlotId Builder::make_plain(ValueId id) {
  const bool half = written_half(id);
  return places(id, half).plain = tensor(graph_.value(id).count(), half);
}

SlotId Builder::make_packed(ValueId id) {
  const bool half = written_half(id);
  return places(id, half).packed = tensor(packed_elements(planes_of(graph_.value(id).dims)), half);
}

std::optional<SlotId> Builder::extend_packed(ValueId out, ValueId first) {
  const Planes before = planes_of(graph_.value(first).dims);
  const Planes after = planes_of(graph_.value(out).dims);
  const bool half = written_half(out);
  const SlotId slot = places(first, half).packed;
  // One pixel: the host may know the memory too, by the value's own size.
  if (slot < 0 || before.n != 1 || before.pixels == 1 || before.channels % 4 != 0) return {};
  const auto [last, fresh] = extended_.try_emplace(slot, first);
  if (last->second != first) return {};  // something lies behind it already
  last->second = out;
  recipe_.slots[static_cast<std::size_t>(slot)].bytes =
      rounded(static_cast<std::size_t>(packed_elements(after)) * bytes_of(half));
  return places(out, half).packed = slot;
}

// Between the layouts: kernel to_c4 or from_c4.
void Builder::convert(const char* kernel, const Planes& planes, SlotId from, SlotId to) {
  launch("layout", kernel,
         {Reads{from}, Writes{to}, narrow(planes.channels), narrow(planes.pixels),
          narrow(planes.channels * planes.pixels), narrow(planes.pixels), 1},
         {planes.pixels, planes.groups(), planes.n});
}

// A copy in the other element type.
SlotId Builder::cast(SlotId from, std::int64_t elements) {
  const bool half = is_half(from);
  const SlotId to = tensor(elements, !half);
  launch("edge", "enter", {Reads{from}, Writes{to}, narrow(elements), half ? TYPE_FLOAT16 : TYPE_FLOAT32},
         {elements});
  return to;
}

SlotId Builder::plain(ValueId id, bool half) {
  Places& wanted = places(id, half);
  if (wanted.plain >= 0) return wanted.plain;
  const Value& value = graph_.value(id);
  if (value.constant()) {
    const bool before = std::exchange(reads_half_, half);
    wanted.plain = floats(constant_floats(value).value_or(std::vector<float>{}));
    reads_half_ = before;
    return wanted.plain;
  }
  const Planes planes = planes_of(value.dims);
  const Places& other = places(id, !half);
  if (wanted.packed >= 0 && same_in_both(planes)) return wanted.plain = wanted.packed;
  if (wanted.packed < 0 && other.plain >= 0) return wanted.plain = cast(other.plain, value.count());
  const SlotId from = wanted.packed >= 0 ? wanted.packed : other.packed;
  wanted.plain = tensor(value.count(), half);
  convert("from_c4", planes, from, wanted.plain);
  return wanted.plain;
}

SlotId Builder::packed(ValueId id, bool half) {
  Places& wanted = places(id, half);
  if (wanted.packed >= 0) return wanted.packed;
  const Planes planes = planes_of(graph_.value(id).dims);
  const Places& other = places(id, !half);
  if (wanted.plain < 0 && other.packed >= 0)
    return wanted.packed = cast(other.packed, packed_elements(planes));
  const bool direct = wanted.plain < 0 && other.plain >= 0 && !same_in_both(planes);
  const SlotId from = direct ? other.plain : plain(id, half);
  if (same_in_both(planes)) return wanted.packed = from;
  wanted.packed = tensor(packed_elements(planes), half);
  convert("to_c4", planes, from, wanted.packed);
  return wanted.packed;
}

void Builder::alias(ValueId out, ValueId in) {
  const Planes a = planes_of(graph_.value(in).dims);
  const Planes b = planes_of(graph_.value(out).dims);
  const bool same_planes = graph_.value(in).dims.size() >= 2 && graph_.value(out).dims.size() >= 2 &&
                           a.n == b.n && a.channels == b.channels && a.pixels == b.pixels;
  if (same_planes && has_packed(in)) {
    for (const bool half : {false, true}) places(out, half) = places(in, half);
    return;
  }
  const bool half = graph_.value(in).constant() ? written_half(out) : at_hand_as_half(in);
  places(out, half).plain = plain(in, half);
}

// The types of its tensors: those that it reads are of one, and those that it writes.
void Builder::set_variant(Launch& launch) const {
  for (const Argument& argument : launch.arguments) {
    if (const auto* writes = std::get_if<Writes>(&argument))
      launch.half_out = launch.half_out || is_half(writes->slot);
    const auto* reads = std::get_if<Reads>(&argument);
    if (!reads) continue;
    launch.half_weights = launch.half_weights || reads->stored == Stored::kHalfWeights;
    if (reads->stored == Stored::kAsInput) launch.half_in = launch.half_in || is_half(reads->slot);
  }
}

void Builder::launch(std::string unit, std::string kernel, std::vector<Argument> arguments, int lanes,
                     std::initializer_list<std::int64_t> global,
                     std::optional<std::array<std::size_t, 2>> group) {
  Launch launch{std::move(unit), std::move(kernel), std::move(arguments), {1, 1, 1}, lanes};
  std::size_t axis = 0;
  for (const std::int64_t items : global) launch.global[axis++] = static_cast<std::size_t>(items);
  launch.group = group.value_or(launch.group);
  launch.group_fixed = group.has_value();
  launch.node = node_;
  set_variant(launch);
  recipe_.launches.push_back(std::move(launch));
}

Status Builder::add_input(ValueId id) {
  const Value& value = graph_.value(id);
  const std::size_t bytes = static_cast<std::size_t>(value.count()) * size_of(value.dtype);
  const bool half = value.dtype == DType::kFloat16 && recipe_.half;
  const bool direct = value.dtype == DType::kFloat32 || half;
  const SlotId host = direct ? places(id, half).plain = tensor(value.count(), half) : add_slot(bytes);
  recipe_.inputs.push_back({host, bytes, value.dims});
  return direct ? Status() : convert_edge("enter", value, host, make_plain(id));
}

Status Builder::add_output(ValueId id) {
  node_.clear();
  const Value& value = graph_.value(id);
  const std::size_t bytes = static_cast<std::size_t>(value.count()) * size_of(value.dtype);
  const bool half = value.dtype == DType::kFloat16 && recipe_.half;
  const bool direct = value.dtype == DType::kFloat32 || half;
  const SlotId own = plain(id, direct ? half : at_hand_as_half(id));
  const SlotId host = direct ? own : add_slot(bytes);
  recipe_.outputs.push_back({host, bytes, value.dims});
  return direct ? Status() : convert_edge("leave", value, own, host);
}

Status Builder::convert_edge(const char* kernel, const Value& value, SlotId from, SlotId to) {
  const auto type = element_type(value.dtype);
  if (!type)
    return failed("value '" + value.name + "' is " + std::string(name_of(value.dtype)) +
                  ", which kernels neither read nor write");
  launch("edge", kernel, {Reads{from}, Writes{to}, narrow(value.count()), *type}, {value.count()});
  return {};
}

}  // namespace sluice::gpu
