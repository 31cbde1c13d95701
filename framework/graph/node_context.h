// What a real node sees of one frame. Private to node_bodies.cc and node_context.cc.
#pragma once

#include <cstdint>
#include <optional>

#include "framework/graph/node_bodies.h"

namespace sluice {

class NodeBodies::NodeContext final : public Context {
 public:
  NodeContext(NodeBodies& bodies, const NodeState& state, Slot slot, const FrameInfo& frame,
              const Options& options, std::size_t route);

  // Calls `body` once, or once per element of the driving list; merges the elements' results (contract
  // section 2, Items): a failed element is an empty packet, and so is it behind every later node, which does
  // not run for it; none left = the first failure.
  template <typename Body>
  Status run_elements(Body&& body);

  std::uint32_t emitted() const { return emitted_; }
  std::uint32_t failed_items() const { return failed_items_; }
  std::uint64_t filtered_outputs() const { return filtered_outputs_; }
  DropReason dropped() const { return dropped_; }
  // A pool was empty when the node had made all that it declares: to wait would be in vain, it holds them.
  bool holds_too_many() const { return holds_too_many_; }

  const FrameInfo& frame() const override { return frame_; }
  const Options& options() const override { return options_; }
  const Clock& clock() const override { return bodies_.clock_; }
  std::size_t route() const override { return route_; }
  std::span<const Packet> packets(std::size_t port, std::size_t edge) const override;
  const Packet& packet(std::size_t port, std::size_t edge) const override;
  Result<Packet> make(std::size_t port) override;
  Result<Packet> make_image(std::size_t port, const ImageType& type) override;
  Result<Packet> take_for_edit(std::size_t port) override;
  void emit(std::size_t port, Packet packet) override;
  void filter() override { dropped_ = DropReason::kFiltered; }
  void filter_port(std::size_t port) override;
  void drop(DropReason reason) override { dropped_ = reason; }

 private:
  // Elements of the driving list; 1 for nodes that take whole lists.
  std::size_t element_count() const;
  bool takes_elements() const;
  int node() const { return static_cast<int>(&state_ - bodies_.nodes_.data()); }
  std::size_t unit() const { return static_cast<std::size_t>(plan().unit); }
  const NodePlan& plan() const { return bodies_.plan_.nodes[static_cast<std::size_t>(node())]; }
  std::span<const Packet> list_of(const InputList& input) const;
  PacketList& output(std::size_t port) {
    return bodies_.lists_[slot_ * bodies_.lists_per_slot_ + state_.first_output + port];
  }
  bool element_is_missing() const;
  bool any_element_is_there(std::size_t count);
  void pad_outputs(std::size_t size);
  bool is_output(std::size_t port) const { return port < state_.rules.size(); }
  const PortType& declared(std::size_t port) const;
  bool fits(std::size_t port, const Packet& packet) const;
  Status no_such_output(std::size_t port) const;
  bool passes_empty_ones() const;
  // The failure that the misuse is; forgets it, for the next element.
  Status misused();
  // A packet of the port's pool, and for pictures and tensors a buffer.
  struct Taken {
    Packet packet;
    BufferRef buffer;
  };
  Result<Packet> make_declared_image(std::size_t port);
  Result<Taken> take(std::size_t port, OutputPools& pools, bool with_buffer);
  bool is_left_to_oldest(std::size_t port, const OutputPools& pools) const;
  Status none_left();
  Status fill_tensor(Tensor& tensor, std::size_t port, BufferRef buffer);

  NodeBodies& bodies_;
  const NodeState& state_;
  const Slot slot_;
  const FrameInfo& frame_;
  const Options& options_;
  const std::size_t route_;
  std::size_t element_ = 0;
  std::uint32_t emitted_ = 0;
  std::uint32_t failed_items_ = 0;
  std::uint32_t made_ = 0;  // packets, on all outputs
  bool holds_too_many_ = false;
  std::uint64_t filtered_outputs_ = 0;
  DropReason dropped_ = DropReason::kNone;
  // What the node did with an output against its declaration: named one that there is not, emitted nothing,
  // or (with the packet) another type there.
  struct Misuse {
    std::size_t port = 0;
    Packet packet;
  };
  std::optional<Misuse> misuse_;
};

template <typename Body>
Status NodeBodies::NodeContext::run_elements(Body&& body) {
  const std::size_t count = element_count();
  const auto run = [&] {
    Status status = body();
    if (!misuse_) return status;
    Status misuse = misused();  // of this element alone, also where it fails by itself
    return status.ok() ? misuse : status;
  };
  if (count == 1) {
    Status status = run();
    if (!status.ok() && status.code() != Code::kPoolEmpty && takes_elements()) failed_items_ = 1;
    return status;
  }
  Status first;
  std::size_t missing = 0;
  const bool some_are_there = any_element_is_there(count);
  for (element_ = 0; element_ < count; ++element_) {
    if (some_are_there && element_is_missing()) {
      ++missing;
      pad_outputs(element_ + 1);
      continue;
    }
    Status status = run();
    if (status.code() == Code::kPoolEmpty) return status;
    if (!status.ok()) {
      if (failed_items_++ == 0) first = status;
    }
    pad_outputs(element_ + 1);
  }
  return failed_items_ > 0 && failed_items_ + missing == count ? first : Status{};
}

}  // namespace sluice
