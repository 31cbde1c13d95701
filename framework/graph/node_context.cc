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

}  // namespace

NodeBodies::NodeContext::NodeContext(NodeBodies& bodies, int node, Slot slot, const FrameInfo& frame,
                                     const Options& options, std::size_t route)
    : bodies_(bodies),
      plan_(bodies.plan_.nodes[static_cast<std::size_t>(node)]),
      node_(node),
      slot_(slot),
      frame_(frame),
      options_(options),
      route_(route) {}

std::span<const Packet> NodeBodies::NodeContext::packets(std::size_t port, std::size_t edge) const {
  if (port >= plan_.inputs.size() || edge >= plan_.inputs[port].size()) return {};
  const int e = plan_.inputs[port][edge];
  const PlanEdge& spec = bodies_.plan_.edges[static_cast<std::size_t>(e)];
  if (spec.latest)
    return bodies_.snapshots_[slot_ * bodies_.plan_.edges.size() + static_cast<std::size_t>(e)];
  return bodies_.list(slot_, spec.from_node, static_cast<std::size_t>(spec.from_output));
}

const Packet& NodeBodies::NodeContext::packet(std::size_t port, std::size_t edge) const {
  const std::span<const Packet> all = packets(port, edge);
  if (all.size() == 1) return all[0];
  return element_ < all.size() ? all[element_] : kNothing;
}

std::size_t NodeBodies::NodeContext::element_count() const {
  if (plan_.declaration->takes_lists) return 1;
  std::size_t count = 1;
  for (std::size_t port = 0; port < plan_.inputs.size(); ++port) {
    for (std::size_t e = 0; e < plan_.inputs[port].size(); ++e) {
      if (bodies_.plan_.edges[static_cast<std::size_t>(plan_.inputs[port][e])].latest) continue;
      const std::size_t size = packets(port, e).size();
      if (size == 0) return 0;
      count = std::max(count, size);
    }
  }
  return count;
}

// Whether it works through a list element by element, however long the list is.
bool NodeBodies::NodeContext::takes_elements() const {
  if (plan_.declaration->takes_lists) return false;
  const auto is_list = [&](int e) {
    const PlanEdge& edge = bodies_.plan_.edges[static_cast<std::size_t>(e)];
    const NodePlan& from = bodies_.plan_.nodes[static_cast<std::size_t>(edge.from_node)];
    return !edge.latest && from.outputs[static_cast<std::size_t>(edge.from_output)].max_packets > 1;
  };
  return std::ranges::any_of(plan_.inputs,
                             [&](const auto& port) { return std::ranges::any_of(port, is_list); });
}

// An element that failed further up.
bool NodeBodies::NodeContext::element_is_missing() const {
  for (std::size_t port = 0; port < plan_.inputs.size(); ++port) {
    for (std::size_t e = 0; e < plan_.inputs[port].size(); ++e) {
      const bool latest = bodies_.plan_.edges[static_cast<std::size_t>(plan_.inputs[port][e])].latest;
      const std::span<const Packet> all = packets(port, e);
      if (!latest && element_ < all.size() && all.size() > 1 && !all[element_]) return true;
    }
  }
  return false;
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
  for (std::size_t o = 0; o < plan_.outputs.size(); ++o) {
    PacketList& out = bodies_.list(slot_, node_, o);
    if (out.size() < size && out.size() < out.capacity()) out.emplace_back();
  }
  if (dropped_ == DropReason::kFiltered) dropped_ = DropReason::kNone;
}

Result<Packet> NodeBodies::NodeContext::make(std::size_t port) {
  OutputPools& pools = bodies_.pools_.at(node_, static_cast<int>(port));
  if (!pools.packets) return failed("output '" + plan_.outputs[port].name + "' makes no packets of its own");
  Packet packet = pools.packets->acquire(frame_);
  if (!packet) return pool_empty();
  if (packet.type() == payload_type<Tensor>()) SLUICE_RETURN_IF_ERROR(fill_tensor(packet, port, pools));
  return packet;
}

Status NodeBodies::NodeContext::fill_tensor(Packet& packet, std::size_t port, OutputPools& pools) {
  const PortType& type = plan_.routes[std::min(route_, plan_.routes.size() - 1)].outputs[port];
  Tensor& tensor = *packet.edit<Tensor>();
  if (tensor.type != type.tensor) {
    SLUICE_ASSIGN(tensor.bytes, byte_size(type.tensor->dtype, type.tensor->shape));
    tensor.type = type.tensor;
  }
  tensor.buffer = pools.buffers ? pools.buffers->acquire() : BufferRef();
  if (!tensor.buffer) return pool_empty();
  tensor.data = tensor.buffer.data();
  tensor.geometry = {};
  return {};
}

Result<Packet> NodeBodies::NodeContext::make_image(std::size_t port, const ImageType& type) {
  OutputPools& pools = bodies_.pools_.at(node_, static_cast<int>(port));
  if (!pools.packets || !pools.buffers)
    return failed("output '" + plan_.outputs[port].name + "' makes no pictures");
  SLUICE_ASSIGN(const std::size_t bytes, image_bytes(type, kRowAlign));
  if (bytes > pools.buffers->bytes_each()) return failed("a picture is larger than the pool was made for");
  Packet packet = pools.packets->acquire(frame_);
  BufferRef buffer = packet ? pools.buffers->acquire() : BufferRef();
  if (!buffer) return pool_empty();
  lay_out(type, std::move(buffer), kRowAlign, *packet.edit<Image>());
  return packet;
}

Result<Packet> NodeBodies::NodeContext::take_for_edit(std::size_t port) {
  const Packet& input = packet(port, 0);
  const Image* image = input.get<Image>();
  if (!image)
    return failed("there is no picture to edit on input '" + plan_.declaration->inputs[port].name + "'");
  const auto output = std::ranges::find(plan_.outputs, static_cast<int>(port), &OutputPlan::edited_input);
  if (output == plan_.outputs.end() || !output->pooled_copy_for_edit) return input;
  SLUICE_ASSIGN(Packet copy,
                make_image(static_cast<std::size_t>(output - plan_.outputs.begin()), image->type));
  copy_planes(*image, *copy.edit<Image>());
  return copy;
}

void NodeBodies::NodeContext::emit(std::size_t port, Packet packet) {
  PacketList& out = bodies_.list(slot_, node_, port);
  if (out.size() >= static_cast<std::size_t>(plan_.outputs[port].max_packets)) {
    dropped_ = DropReason::kTooMany;
    return;
  }
  out.push_back(std::move(packet));
  ++emitted_;
}

}  // namespace sluice
