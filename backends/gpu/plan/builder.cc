#include "backends/gpu/plan/builder.h"

#include <cstring>

#include "backends/gpu/device/element_type.h"
#include "framework/core/half.h"

namespace sluice::gpu {
namespace {

constexpr std::size_t kWidest = 64;  // bytes that a kernel may touch at once: buffers are rounded up to it

std::size_t rounded(std::size_t bytes) { return (bytes + kWidest - 1) / kWidest * kWidest; }

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
    : graph_(graph), widest_(widest), places_(graph.values.size()) {
  recipe_.half = half;
  recipe_.lanes = lanes;
}

SlotId Builder::add_slot(std::size_t bytes, std::vector<std::byte> constant) {
  recipe_.slots.push_back({rounded(bytes), std::move(constant)});
  return static_cast<SlotId>(recipe_.slots.size()) - 1;
}

SlotId Builder::floats(std::span<const float> elements) {
  std::vector<std::byte> bytes(rounded(elements.size() * element_bytes()));
  if (recipe_.half)
    to_half(elements.data(), elements.size(), reinterpret_cast<std::uint16_t*>(bytes.data()));
  else
    std::memcpy(bytes.data(), elements.data(), elements.size_bytes());
  const std::size_t size = bytes.size();
  return add_slot(size, std::move(bytes));
}

SlotId Builder::integers(std::span<const std::int32_t> elements) {
  std::vector<std::byte> bytes(rounded(elements.size_bytes()));
  std::memcpy(bytes.data(), elements.data(), elements.size_bytes());
  const std::size_t size = bytes.size();
  return add_slot(size, std::move(bytes));
}

SlotId Builder::scratch(std::int64_t elements) {
  return add_slot(static_cast<std::size_t>(elements) * element_bytes());
}

SlotId Builder::nothing() {
  if (nothing_ < 0) nothing_ = floats(std::vector<float>(16, 0.0F));
  return nothing_;
}

bool Builder::has_plain(ValueId id) const { return places(id).plain >= 0 || graph_.value(id).constant(); }
bool Builder::has_packed(ValueId id) const { return places(id).packed >= 0; }

SlotId Builder::make_plain(ValueId id) { return places(id).plain = scratch(graph_.value(id).count()); }

SlotId Builder::make_packed(ValueId id) {
  const Planes planes = planes_of(graph_.value(id).dims);
  return places(id).packed = scratch(planes.n * planes.groups() * 4 * planes.pixels);
}

std::optional<SlotId> Builder::extend_packed(ValueId out, ValueId first) {
  const Planes before = planes_of(graph_.value(first).dims);
  const Planes after = planes_of(graph_.value(out).dims);
  const SlotId slot = places(first).packed;
  // One pixel: the host may know the memory too, by the value's own size.
  if (slot < 0 || before.n != 1 || before.pixels == 1 || before.channels % 4 != 0) return {};
  const auto [last, fresh] = extended_.try_emplace(slot, first);
  if (last->second != first) return {};  // something lies behind it already
  last->second = out;
  recipe_.slots[static_cast<std::size_t>(slot)].bytes =
      rounded(static_cast<std::size_t>(after.groups() * 4 * after.pixels) * element_bytes());
  return places(out).packed = slot;
}

// Between the layouts: kernel to_c4 or from_c4.
void Builder::convert(const char* kernel, const Planes& planes, SlotId from, SlotId to) {
  launch("layout", kernel,
         {Reads{from}, Writes{to}, narrow(planes.channels), narrow(planes.pixels),
          narrow(planes.channels * planes.pixels), narrow(planes.pixels), 1},
         {planes.pixels, planes.groups(), planes.n});
}

SlotId Builder::plain(ValueId id) {
  if (places(id).plain >= 0) return places(id).plain;
  const Value& value = graph_.value(id);
  if (value.constant())
    return places(id).plain = floats(constant_floats(value).value_or(std::vector<float>{}));
  const SlotId from = places(id).packed;
  const Planes planes = planes_of(value.dims);
  if (same_in_both(planes)) return places(id).plain = from;
  const SlotId to = make_plain(id);
  convert("from_c4", planes, from, to);
  return to;
}

SlotId Builder::packed(ValueId id) {
  if (places(id).packed >= 0) return places(id).packed;
  const Planes planes = planes_of(graph_.value(id).dims);
  const SlotId from = plain(id);
  if (same_in_both(planes)) return places(id).packed = from;
  const SlotId to = make_packed(id);
  convert("to_c4", planes, from, to);
  return to;
}

void Builder::alias(ValueId out, ValueId in) {
  const Places from = places(in);
  const Planes a = planes_of(graph_.value(in).dims);
  const Planes b = planes_of(graph_.value(out).dims);
  const bool same_planes = graph_.value(in).dims.size() >= 2 && graph_.value(out).dims.size() >= 2 &&
                           a.n == b.n && a.channels == b.channels && a.pixels == b.pixels;
  if (same_planes && from.packed >= 0) {
    places(out) = from;
    return;
  }
  places(out).plain = plain(in);
}

void Builder::launch(std::string unit, std::string kernel, std::vector<Argument> arguments, int lanes,
                     std::initializer_list<std::int64_t> global,
                     std::optional<std::array<std::size_t, 2>> group) {
  Launch launch{std::move(unit), std::move(kernel), std::move(arguments), {1, 1, 1}, lanes};
  std::size_t axis = 0;
  for (const std::int64_t items : global) launch.global[axis++] = static_cast<std::size_t>(items);
  launch.group = group.value_or(launch.group);
  launch.group_fixed = group.has_value();
  recipe_.launches.push_back(std::move(launch));
}

Status Builder::add_input(ValueId id) {
  const Value& value = graph_.value(id);
  const bool direct = value.dtype == (recipe_.half ? DType::kFloat16 : DType::kFloat32);
  const std::size_t bytes = static_cast<std::size_t>(value.count()) * size_of(value.dtype);
  const SlotId host = direct ? make_plain(id) : add_slot(bytes);
  recipe_.inputs.push_back({host, bytes, value.dims});
  if (direct) return {};
  return convert_edge("enter", value, host, make_plain(id));
}

Status Builder::add_output(ValueId id) {
  const Value& value = graph_.value(id);
  const bool direct = value.dtype == (recipe_.half ? DType::kFloat16 : DType::kFloat32);
  const std::size_t bytes = static_cast<std::size_t>(value.count()) * size_of(value.dtype);
  const SlotId own = plain(id);
  const SlotId host = direct ? own : add_slot(bytes);
  recipe_.outputs.push_back({host, bytes, value.dims});
  if (direct) return {};
  return convert_edge("leave", value, own, host);
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
