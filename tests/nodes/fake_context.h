// A Context that stands alone: runs one node's `process` without a plan or a graph. Holds its own pools,
// collects what the node emits, filters and drops. Shared by the tests of all nodes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "framework/core/clock.h"
#include "framework/node/node.h"

namespace sluice::testing {

// The declaration of a node type, as the registry would make it.
template <typename T>
NodeDeclaration declaration_of(std::string type = "node_under_test") {
  NodeDeclaration declaration;
  declaration.type = std::move(type);
  T::describe(declaration);
  return declaration;
}

// The options of a node type: the declared defaults, with `written` over them. Unknown names are kept.
inline OptionsPtr options_of(const NodeDeclaration& declaration, OptionMap written = {}) {
  OptionMap all;
  for (const OptionDeclaration& option : declaration.options) all[option.name] = option.fallback;
  for (auto& [name, value] : written) all[name] = std::move(value);
  return std::make_shared<const Options>(std::move(all));
}
template <typename T>
OptionsPtr options_of(OptionMap written = {}) {
  return options_of(declaration_of<T>(), std::move(written));
}

inline OptionValue text(std::string value) { return OptionValue{std::move(value)}; }
inline OptionValue texts(std::initializer_list<const char*> values) {
  OptionList list;
  for (const char* value : values) list.push_back(OptionValue{std::string(value)});
  return OptionValue{std::move(list)};
}
inline OptionValue integer(std::int64_t value) { return OptionValue{value}; }
inline OptionValue number(double value) { return OptionValue{value}; }
inline OptionValue flag(bool value) { return OptionValue{value}; }

// Packets for tests; everything made stays alive until the last handle goes. Not for hot paths.
template <typename T>
Packet make_packet(T value, const FrameInfo& frame = {}) {
  PacketPool::Ptr pool = PacketPool::create("test", payload_type<T>(), 1);
  Packet packet = pool->acquire(frame);
  *packet.edit<T>() = std::move(value);
  return packet;
}

inline BufferRef make_buffer(std::size_t bytes) {
  auto pool = BufferPool::create("test", std::max<std::size_t>(bytes, 1), 1);
  if (!pool.ok()) return {};
  return (*pool)->acquire();
}

// `values` are raw elements of the type's own kind (quantised integers are given as integers).
template <typename T>
Packet make_tensor(const TensorType& type, const std::vector<T>& values, const Geometry& geometry = {},
                   const FrameInfo& frame = {}) {
  Tensor tensor;
  tensor.type = std::make_shared<const TensorType>(type);
  tensor.bytes = values.size() * sizeof(T);
  tensor.buffer = make_buffer(tensor.bytes);
  tensor.data = tensor.buffer.data();
  tensor.geometry = geometry;
  std::memcpy(tensor.data, values.data(), tensor.bytes);
  return make_packet(std::move(tensor), frame);
}

// A picture with all samples of plane p set to fill[p].
inline Packet make_picture(const ImageType& type, std::array<std::uint8_t, 3> fill = {},
                           const FrameInfo& frame = {}) {
  const std::size_t bytes = image_bytes(type).value();
  Image image;
  lay_out(type, make_buffer(bytes), 64, image);
  for (int p = 0; p < plane_count(type.format); ++p) {
    const auto plane = static_cast<std::size_t>(p);
    const auto rows = static_cast<std::size_t>(plane_size(type, p).height);
    std::memset(image.planes[plane], fill[plane], rows * static_cast<std::size_t>(image.strides[plane]));
  }
  return make_packet(std::move(image), frame);
}

// Like `make_tensor`: the type a port has in a route.
inline PortType tensor_port(const TensorType& type) {
  PortType port;
  port.kind = PortKind::kTensor;
  port.payload = payload_type<Tensor>();
  port.name = type.name;
  port.tensor = std::make_shared<const TensorType>(type);
  return port;
}
inline PortType image_port(const ImageType& type) {
  PortType port;
  port.kind = PortKind::kFrame;
  port.payload = payload_type<Image>();
  port.image = type;
  return port;
}
inline PortType port_of(PortKind kind) {
  PortType port;
  port.kind = kind;
  port.payload = payload_of(kind);
  return port;
}

class FakeContext : public Context {
 public:
  explicit FakeContext(OptionsPtr options = std::make_shared<const Options>())
      : options_(std::move(options)) {}

  // --- what the test sets
  // -------------------------------------------------------------------------------------------
  FrameInfo info;
  ManualClock time;
  std::size_t route_index = 0;

  void set_options(OptionsPtr options) { options_ = std::move(options); }
  // The packets of one edge; replaces what was there.
  void set_input(std::size_t port, std::vector<Packet> packets, std::size_t edge = 0) {
    inputs_[{port, edge}] = std::move(packets);
  }
  void set_input(std::size_t port, Packet packet, std::size_t edge = 0) {
    std::vector<Packet> one;
    one.push_back(std::move(packet));
    set_input(port, std::move(one), edge);
  }
  // What `make(port)` gives: a packet of the port's payload, with a buffer of its tensor or picture type,
  // from a pool of `packets`.
  void set_output(std::size_t port, PortType type, std::size_t packets = 8) {
    Output output;
    const PayloadType* payload = type.payload ? type.payload : payload_of(type.kind);
    output.packets = PacketPool::create("out", payload, packets);
    if (type.tensor) output.bytes = byte_size(type.tensor->dtype, type.tensor->shape).value();
    if (type.kind == PortKind::kFrame && type.image.width > 0) output.bytes = image_bytes(type.image).value();
    if (output.bytes > 0)
      output.buffers = std::move(BufferPool::create("out", output.bytes, packets)).value();
    output.type = std::move(type);
    outputs_[port] = std::move(output);
  }

  // --- what the node did
  // -------------------------------------------------------------------------------------------- Packets
  // emitted on a port since the last `clear`.
  const std::vector<Packet>& emitted(std::size_t port = 0) { return emitted_[port]; }
  bool filtered = false;                    // filter()
  std::vector<std::size_t> filtered_ports;  // filter_port()
  std::optional<DropReason> dropped;        // drop()
  void clear() {
    emitted_.clear();
    filtered = false;
    filtered_ports.clear();
    dropped.reset();
  }

  // --- Context
  // ------------------------------------------------------------------------------------------------------
  const FrameInfo& frame() const override { return info; }
  const Options& options() const override { return *options_; }
  const Clock& clock() const override { return time; }
  std::size_t route() const override { return route_index; }

  std::span<const Packet> packets(std::size_t port, std::size_t edge = 0) const override {
    const auto found = inputs_.find({port, edge});
    if (found == inputs_.end()) return {};
    return found->second;
  }
  const Packet& packet(std::size_t port, std::size_t edge = 0) const override {
    static const Packet kNone;
    const std::span<const Packet> all = packets(port, edge);
    return all.empty() ? kNone : all.front();
  }

  Result<Packet> make(std::size_t port = 0) override { return make_from(port, nullptr); }
  Result<Packet> make_image(std::size_t port, const ImageType& type) override {
    return make_from(port, &type);
  }
  // Always a copy, so that tests can compare with the original.
  Result<Packet> take_for_edit(std::size_t port) override {
    const Image* from = input<Image>(port);
    if (!from) return invalid("take_for_edit on a port without a picture");
    Packet copy = make_picture(from->type, {}, info);
    Image& to = *copy.edit<Image>();
    for (int p = 0; p < plane_count(from->type.format); ++p) {
      const auto plane = static_cast<std::size_t>(p);
      const PlaneSize size = plane_size(from->type, p);
      for (int y = 0; y < size.height; ++y) {
        std::memcpy(to.planes[plane] + y * to.strides[plane], from->planes[plane] + y * from->strides[plane],
                    static_cast<std::size_t>(size.width) * static_cast<std::size_t>(size.bytes_per_sample));
      }
    }
    return copy;
  }

  void emit(std::size_t port, Packet packet) override { emitted_[port].push_back(std::move(packet)); }
  using Context::emit;
  void filter() override { filtered = true; }
  void filter_port(std::size_t port) override { filtered_ports.push_back(port); }
  void drop(DropReason reason) override { dropped = reason; }

 private:
  struct Output {
    PortType type;
    PacketPool::Ptr packets;
    BufferPool::Ptr buffers;
    std::size_t bytes = 0;
  };

  Result<Packet> make_from(std::size_t port, const ImageType* picture) {
    const auto found = outputs_.find(port);
    if (found == outputs_.end())
      return invalid("the test gave no type for output port " + std::to_string(port));
    Output& output = found->second;
    Packet packet = output.packets->acquire(info);
    if (!packet) return pool_empty();
    if (!output.buffers) return packet;
    BufferRef buffer = output.buffers->acquire();
    if (!buffer) return pool_empty();
    if (Tensor* tensor = packet.edit<Tensor>()) {
      tensor->type = output.type.tensor;
      tensor->data = buffer.data();
      tensor->bytes = output.bytes;
      tensor->geometry = {};
      tensor->buffer = std::move(buffer);
    } else if (Image* image = packet.edit<Image>()) {
      const ImageType& type = picture ? *picture : output.type.image;
      Result<std::size_t> bytes = image_bytes(type);
      if (!bytes.ok()) return bytes.status();
      if (*bytes > output.bytes) return invalid("the picture does not fit the test's pool");
      lay_out(type, std::move(buffer), 64, *image);
    }
    return packet;
  }

  OptionsPtr options_;
  std::map<std::pair<std::size_t, std::size_t>, std::vector<Packet>> inputs_;
  std::map<std::size_t, Output> outputs_;
  std::map<std::size_t, std::vector<Packet>> emitted_;
};

// What a node's `infer_types` and `fold` see.
class FakeTypes : public TypeContext {
 public:
  explicit FakeTypes(OptionsPtr options = std::make_shared<const Options>()) : options_(std::move(options)) {}

  std::vector<std::vector<PortType>> ports;      // [port][edge]
  std::vector<std::vector<std::string>> names;   // [port][edge]; may be shorter than `ports`
  std::map<std::string, ModelSignature> models;  // by option name
  std::shared_ptr<const TensorType> wanted;
  std::string id = "node";

  const Options& options() const override { return *options_; }
  std::string_view node_id() const override { return id; }
  std::string_view variant() const override { return {}; }
  std::vector<PortType> inputs(std::size_t port) const override {
    return port < ports.size() ? ports[port] : std::vector<PortType>{};
  }
  std::vector<std::string> input_names(std::size_t port) const override {
    std::vector<std::string> out = port < names.size() ? names[port] : std::vector<std::string>{};
    out.resize(inputs(port).size());
    return out;
  }
  Result<ModelSignature> model(std::string_view option) const override {
    const auto found = models.find(std::string(option));
    if (found == models.end()) return invalid("no such model in this test");
    return found->second;
  }
  std::shared_ptr<const TensorType> wanted_downstream() const override { return wanted; }

 private:
  OptionsPtr options_;
};

// What the plan asks of a node: whether its options are right by themselves, then its types.
inline Result<std::vector<PortType>> types_of(const NodeDeclaration& declaration,
                                              const TypeContext& context) {
  Status first;
  if (declaration.check_options) {
    declaration.check_options(context.options(), [&first](std::string_view, const Status& why) {
      if (first.ok()) first = why;
    });
  }
  if (!first.ok()) return first;
  return declaration.infer_types ? declaration.infer_types(context) : std::vector<PortType>{};
}

// An OpenContext with what it points to.
struct OpenSetup {
  explicit OpenSetup(OptionsPtr node_options = std::make_shared<const Options>())
      : options(std::move(node_options)) {
    routes.emplace_back();
  }
  // One edge of the first route's input port; gives its name in the file.
  OpenSetup& input(std::size_t port, PortType type, std::string name = "") {
    NodeRoute& route = routes.front();
    if (route.inputs.size() <= port) route.inputs.resize(port + 1);
    if (input_names.size() <= port) input_names.resize(port + 1);
    route.inputs[port].push_back(std::move(type));
    input_names[port].push_back(std::move(name));
    return *this;
  }
  OpenSetup& output(PortType type) {
    routes.front().outputs.push_back(std::move(type));
    return *this;
  }
  OpenContext context() {
    OpenContext open;
    open.node_id = "node";
    open.options = options.get();
    open.clock = &clock;
    open.routes = routes;
    open.input_names = input_names;
    open.source_names = source_names;
    return open;
  }

  OptionsPtr options;
  ManualClock clock;
  std::vector<NodeRoute> routes;
  std::vector<std::vector<std::string>> input_names;
  std::vector<std::string> source_names = {"camera"};
};

}  // namespace sluice::testing
