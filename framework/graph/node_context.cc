#include "framework/graph/node_context.h"

#include <algorithm>
#include <cstring>

namespace sluice {
namespace {

const Packet kNothing;
constexpr std::size_t kRowAlign = 64;

void copy_planes(const Image& from, Image& to) {
  for (int p = 0; p < plane_count(from.type.format); ++p) {
    const auto plane = static_cast<std::size_t>(p);
    const PlaneSize size = plane_size(from.type, p);
    const auto bytes = static_cast<std::size_t>(size.width) * static_cast<std::size_t>(size.bytes_per_sample);
    for (int y = 0; y < size.height; ++y) {
      std::memcpy(to.planes[plane] + y * to.strides[plane], from.planes[plane] + y * from.strides[plane],
                  bytes);
    }
  }
}

bool same_type(const TensorType& a, const TensorType& b) {
  return a.dtype == b.dtype && a.shape == b.shape && a.layout == b.layout && a.quant == b.quant;
}

// A declared picture without a format or a size may have any.
bool fits_image(const ImageType& declared, const ImageType& emitted) {
  const bool format = declared.format == PixelFormat::kNone || declared.format == emitted.format;
  const bool size =
      declared.width == 0 || (declared.width == emitted.width && declared.height == emitted.height);
  return format && size;
}

std::string image_words(const ImageType& image) {
  std::string out = "frame";
  if (image.format != PixelFormat::kNone) out += " " + std::string(name_of(image.format));
  if (image.width > 0) out += " " + std::to_string(image.width) + "x" + std::to_string(image.height);
  return out;
}

std::string packet_words(const Packet& packet) {
  if (const auto* image = packet.get<Image>()) return image_words(image->type);
  const auto* tensor = packet.get<Tensor>();
  return tensor && tensor->type ? tensor->type->text() : std::string(packet.type()->name);
}

}  // namespace

NodeBodies::NodeContext::NodeContext(NodeBodies& bodies, const NodeState& state, Slot slot,
                                     const FrameInfo& frame, const Options& options, std::size_t route)
    : bodies_(bodies), state_(state), slot_(slot), frame_(frame), options_(options), route_(route) {}

std::span<const Packet> NodeBodies::NodeContext::list_of(const InputList& input) const {
  if (input.latest) return bodies_.snapshots_[slot_ * bodies_.plan_.edges.size() + input.at];
  return bodies_.lists_[slot_ * bodies_.lists_per_slot_ + input.at];
}

std::span<const Packet> NodeBodies::NodeContext::packets(std::size_t port, std::size_t edge) const {
  if (port >= state_.ports.size() || edge >= state_.ports[port].edges) return {};
  return list_of(state_.inputs[state_.ports[port].first + edge]);
}

const Packet& NodeBodies::NodeContext::packet(std::size_t port, std::size_t edge) const {
  const std::span<const Packet> all = packets(port, edge);
  if (all.size() == 1) return all[0];
  return element_ < all.size() ? all[element_] : kNothing;
}

std::size_t NodeBodies::NodeContext::element_count() const {
  if (state_.takes_lists) return 1;
  std::size_t count = 1;
  for (const InputList& input : state_.inputs) {
    if (input.latest) continue;
    const std::size_t size = list_of(input).size();
    if (size == 0) return 0;
    count = std::max(count, size);
  }
  return count;
}

// Whether it works through a list element by element, however long the list is.
bool NodeBodies::NodeContext::takes_elements() const {
  if (state_.takes_lists) return false;
  const auto is_list = [&](int e) {
    const PlanEdge& edge = bodies_.plan_.edges[static_cast<std::size_t>(e)];
    const NodeState& from = bodies_.nodes_[static_cast<std::size_t>(edge.from_node)];
    return !edge.latest && from.rules[static_cast<std::size_t>(edge.from_output)].most > 1;
  };
  return std::ranges::any_of(plan().inputs,
                             [&](const auto& port) { return std::ranges::any_of(port, is_list); });
}

// An element that failed further up.
bool NodeBodies::NodeContext::element_is_missing() const {
  return std::ranges::any_of(state_.inputs, [&](const InputList& input) {
    const std::span<const Packet> all = list_of(input);
    return !input.latest && element_ < all.size() && all.size() > 1 && !all[element_];
  });
}

// False for a list that was made of nothing but empty packets (of an empty mailbox): none of them failed.
bool NodeBodies::NodeContext::any_element_is_there(std::size_t count) {
  for (element_ = 0; element_ < count; ++element_) {
    if (!element_is_missing()) return true;
  }
  return false;
}

// An element that gave nothing (it failed, or was turned away) keeps its place as an empty packet.
void NodeBodies::NodeContext::pad_outputs(std::size_t size) {
  for (std::size_t o = 0; o < state_.rules.size(); ++o) {
    PacketList& out = output(o);
    if (out.size() < size && out.size() < state_.rules[o].most) out.emplace_back();
  }
  if (dropped_ == DropReason::kFiltered) dropped_ = DropReason::kNone;
}

Status NodeBodies::NodeContext::no_such_output(std::size_t port) const {
  return failed("there is no output " + std::to_string(port) + ": the node declares " +
                std::to_string(state_.rules.size()) + ", counted from 0");
}

Result<Packet> NodeBodies::NodeContext::make(std::size_t port) {
  if (!is_output(port)) return no_such_output(port);
  OutputPools& pools = bodies_.pools_.at(node(), static_cast<int>(port));
  if (!pools.packets) return failed("output '" + plan().outputs[port].name + "' makes no packets of its own");
  if (pools.packets->type() == payload_type<Image>()) return make_declared_image(port);
  const bool is_tensor = pools.packets->type() == payload_type<Tensor>();
  SLUICE_ASSIGN(Taken taken, take(port, pools, is_tensor));
  if (is_tensor)
    SLUICE_RETURN_IF_ERROR(fill_tensor(*taken.packet.edit<Tensor>(), port, std::move(taken.buffer)));
  return std::move(taken.packet);
}

Result<Packet> NodeBodies::NodeContext::make_declared_image(std::size_t port) {
  const ImageType& type = declared(port).image;
  if (type.format == PixelFormat::kNone || type.width == 0)
    return failed("output '" + plan().outputs[port].name +
                  "' has no type that is known before the run: give make_image() the picture's");
  return make_image(port, type);
}

Result<NodeBodies::NodeContext::Taken> NodeBodies::NodeContext::take(std::size_t port, OutputPools& pools,
                                                                     bool with_buffer) {
  const bool overtook =
      !state_.runs_alone && bodies_.overtook_[slot_ * bodies_.flow_.units.size() + unit()] != 0;
  std::unique_lock<std::mutex> one_at_a_time;
  if (overtook) {
    one_at_a_time = std::unique_lock(state_.spare);
    if (is_left_to_oldest(port, pools)) return pool_empty();
  }
  Taken taken{pools.packets->acquire(frame_), {}};
  if (taken.packet && with_buffer && pools.buffers) taken.buffer = pools.buffers->acquire();
  if (!taken.packet || (with_buffer && !taken.buffer)) return none_left();
  ++made_;
  return taken;
}

// What overtook the oldest frame keeps its packets until that one has got its own.
bool NodeBodies::NodeContext::is_left_to_oldest(std::size_t port, const OutputPools& pools) const {
  const auto all_else_is_out = [&](const PoolStats& pool) {
    return pool.in_use + state_.rules[port].most >= pool.buffers;
  };
  return all_else_is_out(pools.packets->stats()) ||
         (pools.buffers && all_else_is_out(pools.buffers->stats()));
}

Status NodeBodies::NodeContext::none_left() {
  std::uint32_t declared = 0;
  for (const OutputRule& rule : state_.rules) declared += rule.most;
  holds_too_many_ = made_ >= declared;
  return pool_empty();
}

Status NodeBodies::NodeContext::fill_tensor(Tensor& tensor, std::size_t port, BufferRef buffer) {
  const PortType& type = declared(port);
  if (tensor.type != type.tensor) {
    SLUICE_ASSIGN(tensor.bytes, byte_size(type.tensor->dtype, type.tensor->shape));
    tensor.type = type.tensor;
  }
  tensor.buffer = std::move(buffer);
  tensor.data = tensor.buffer.data();
  tensor.geometry = {};
  return {};
}

Result<Packet> NodeBodies::NodeContext::make_image(std::size_t port, const ImageType& type) {
  if (!is_output(port)) return no_such_output(port);
  OutputPools& pools = bodies_.pools_.at(node(), static_cast<int>(port));
  if (!pools.packets || !pools.buffers)
    return failed("output '" + plan().outputs[port].name + "' makes no pictures");
  SLUICE_ASSIGN(const std::size_t bytes, image_bytes(type, kRowAlign));
  if (bytes > pools.buffers->bytes_each()) return failed("a picture is larger than the pool was made for");
  SLUICE_ASSIGN(Taken taken, take(port, pools, true));
  lay_out(type, std::move(taken.buffer), kRowAlign, *taken.packet.edit<Image>());
  return std::move(taken.packet);
}

Result<Packet> NodeBodies::NodeContext::take_for_edit(std::size_t port) {
  const Packet& input = packet(port, 0);
  const Image* image = input.get<Image>();
  if (!image)
    return failed("there is no picture to edit on input '" + plan().declaration->inputs[port].name + "'");
  const std::vector<OutputPlan>& outputs = plan().outputs;
  const auto edited = std::ranges::find(outputs, static_cast<int>(port), &OutputPlan::edited_input);
  if (edited == outputs.end() || !edited->pooled_copy_for_edit) return input;
  SLUICE_ASSIGN(Packet copy, make_image(static_cast<std::size_t>(edited - outputs.begin()), image->type));
  copy_planes(*image, *copy.edit<Image>());
  return copy;
}

void NodeBodies::NodeContext::filter_port(std::size_t port) {
  if (!is_output(port)) {
    misuse_ = {port, {}};
    return;
  }
  filtered_outputs_ |= std::uint64_t{1} << port;
}

void NodeBodies::NodeContext::emit(std::size_t port, Packet packet) {
  if (!is_output(port)) {
    misuse_ = {port, {}};
    return;
  }
  const OutputRule& rule = state_.rules[port];
  if (rule.payload && packet &&
      (packet.type() != rule.payload || (rule.has_details && !fits(port, packet)))) {
    misuse_ = {port, std::move(packet)};
    return;
  }
  PacketList& out = output(port);
  if (out.size() >= rule.most) {
    dropped_ = DropReason::kTooMany;
    return;
  }
  if (!packet && !passes_empty_ones()) {
    misuse_ = {port, {}};
    return;
  }
  out.push_back(std::move(packet));
  ++emitted_;
}

// Whether an empty packet may be one of its inputs: of an element that failed, or of an empty mailbox.
bool NodeBodies::NodeContext::passes_empty_ones() const {
  return state_.takes_lists || std::ranges::any_of(state_.inputs, [&](const InputList& input) {
           const std::span<const Packet> all = list_of(input);
           return all.empty() || std::ranges::any_of(all, [](const Packet& packet) { return !packet; });
         });
}

const PortType& NodeBodies::NodeContext::declared(std::size_t port) const {
  return plan().routes[std::min(route_, plan().routes.size() - 1)].outputs[port];
}

// Whether a tensor's or picture's type is the declared one, as far as one was declared.
bool NodeBodies::NodeContext::fits(std::size_t port, const Packet& packet) const {
  const PortType& type = declared(port);
  if (const auto* image = packet.get<Image>()) return fits_image(type.image, image->type);
  const auto& tensor = packet.get<Tensor>()->type;
  return !type.tensor || tensor == type.tensor || (tensor && same_type(*tensor, *type.tensor));
}

Status NodeBodies::NodeContext::misused() {
  const Misuse misuse = std::move(*misuse_);
  misuse_.reset();
  const auto& [port, packet] = misuse;
  if (!is_output(port)) return no_such_output(port);
  if (!packet)
    return failed("an empty packet was emitted on output '" + plan().outputs[port].name +
                  "'; what has nothing to give calls filter() or drop()");
  const PortType& type = declared(port);
  std::string words = std::string(type.payload->name);
  if (type.tensor) words = type.tensor->text();
  if (type.payload == payload_type<Image>()) words = image_words(type.image);
  return failed("output '" + plan().outputs[port].name + "' is declared as " + words + ", but " +
                packet_words(packet) + " was emitted");
}

}  // namespace sluice
