#include "backends/htp/repairs.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "backends/htp/kept_away.h"
#include "backends/htp/same_windows.h"
#include "backends/htp/unfit.h"
#include "inference/onnx/attributes.h"
#include "inference/onnx/rewrite.h"

namespace sluice::htp {
namespace {

using onnx::Bytes;
using onnx::Field;
using onnx::Writer;
namespace field = onnx::field;

// Of onnx.proto's AttributeProto, beyond those that headers need.
constexpr std::uint32_t kAttributeInts = 8, kAttributeType = 20;
constexpr std::uint64_t kInt = 2, kInts = 7;

struct Repairs {
  std::set<std::size_t> casts;                 // operators
  std::map<std::size_t, SamePadding> windows;  // by operator
  std::map<Bytes, std::uint64_t> lengths;      // bytes of external weights by their names
  std::set<Bytes> weights;                     // names of inputs that are weights too
  Unfit unfit;                                 // operators
  bool any() const {
    return !casts.empty() || !windows.empty() || !lengths.empty() || !weights.empty() || !unfit.empty();
  }
};

// Operators whose first output has the type of their first input.
bool keeps_type(Bytes type) {
  constexpr std::array<std::string_view, 23> kKeeping = {
      "Identity", "Transpose", "Reshape",      "Squeeze",      "Unsqueeze",     "Flatten",
      "Slice",    "Gather",    "GatherND",     "Concat",       "Split",         "Pad",
      "Expand",   "Tile",      "MaxPool",      "Resize",       "Clip",          "Min",
      "Max",      "Upsample",  "DepthToSpace", "SpaceToDepth", "GatherElements"};
  return std::ranges::find(kKeeping, type) != kKeeping.end();
}

// The Casts from uint8 to float32.
std::set<std::size_t> wrong_casts(const onnx::ModelHeader& header, Bytes file) {
  std::set<Bytes> small;  // tensors of uint8
  for (const auto* values : {&header.inputs, &header.values, &header.outputs})
    for (const onnx::ValueInfo& value : *values)
      if (value.element == onnx::kUint8) small.insert(value.name);
  for (const auto* constants : {&header.initializers, &header.constants})
    for (const onnx::Initializer& constant : *constants)
      if (constant.element == onnx::kUint8) small.insert(constant.name);
  std::set<std::size_t> out;
  const std::vector<Bytes> messages = onnx::node_messages(file);
  for (std::size_t i = 0; i < std::min(messages.size(), header.operators.size()); ++i) {
    const onnx::Operator& op = header.operators[i];
    if (!op.domain.empty() || op.inputs.empty() || op.outputs.empty()) continue;
    const std::int64_t to = op.type == "Cast" ? onnx::Attributes(messages[i]).number("to", 0) : 0;
    const bool from_small = small.contains(op.inputs[0]);
    if (to == onnx::kFloat && from_small) out.insert(i);
    const bool quantised =
        op.type == "QuantizeLinear" && op.inputs.size() > 2 && small.contains(op.inputs[2]);
    if (to == onnx::kUint8 || quantised || (from_small && keeps_type(op.type))) small.insert(op.outputs[0]);
    if (from_small && op.type == "Split") small.insert(op.outputs.begin(), op.outputs.end());
  }
  return out;
}

bool has_length(Bytes tensor) {
  onnx::Reader reader(tensor);
  for (Field f; reader.next(f);) {
    if (f.number != field::kExternalData) continue;
    onnx::Reader entry(f.bytes);
    for (Field e; entry.next(e);)
      if (e.number == field::kEntryKey && e.bytes == "length") return true;
  }
  return false;
}

std::map<Bytes, std::uint64_t> missing_lengths(const onnx::ModelHeader& header) {
  std::map<Bytes, std::uint64_t> out;
  for (const onnx::Initializer& weights : header.initializers)
    for (const onnx::ExternalData& data : header.external)
      if (data.tensor == weights.name && data.needed > 0 && !has_length(weights.message))
        out[weights.name] = data.needed;
  return out;
}

Bytes name_in(Bytes message, std::uint32_t number) {
  onnx::Reader reader(message);
  for (Field f; reader.next(f);)
    if (f.number == number) return f.bytes;
  return {};
}

// `header` lists no input that is a weight too, so the file is asked.
std::set<Bytes> weights_among_inputs(const onnx::ModelHeader& header, Bytes file) {
  std::set<Bytes> weights, out;
  for (const onnx::Initializer& one : header.initializers) weights.insert(one.name);
  onnx::Reader model(file);
  for (Field f; model.next(f);) {
    if (f.number != field::kGraph) continue;
    onnx::Reader graph(f.bytes);
    for (Field part; graph.next(part);) {
      if (part.number != field::kInput) continue;
      const Bytes name = name_in(part.bytes, field::kValueName);
      if (weights.contains(name)) out.insert(name);
    }
  }
  return out;
}

Repairs find_repairs(const onnx::ModelHeader& header, Bytes file, const onnx::FixedDims& dims) {
  return {.casts = wrong_casts(header, file),
          .windows = same_windows(header, file, dims),
          .lengths = missing_lengths(header),
          .weights = weights_among_inputs(header, file),
          .unfit = unfit_operators(header, file, dims)};
}

std::string cast_node(Bytes name, Bytes from, Bytes to, std::int32_t element) {
  return Writer()
      .bytes(field::kNodeInput, from)
      .bytes(field::kNodeOutput, to)
      .bytes(field::kNodeName, name)
      .bytes(field::kOpType, "Cast")
      .bytes(field::kAttribute, Writer()
                                    .bytes(field::kAttributeName, "to")
                                    .varint(field::kAttributeInt, static_cast<std::uint64_t>(element))
                                    .varint(kAttributeType, kInt)
                                    .text())
      .take();
}

void write_casts(const onnx::Operator& op, Writer& graph) {
  const std::string between = std::string(op.outputs[0]) + "/int32";
  graph.bytes(field::kNode, cast_node(std::string(op.name) + "/int32", op.inputs[0], between, onnx::kInt32));
  graph.bytes(field::kNode, cast_node(op.name, between, op.outputs[0], onnx::kFloat));
}

// Windows that would start inside were refused before.
std::string padding_attribute(const SamePadding& padding) {
  Writer out;
  out.bytes(field::kAttributeName, "pads").varint(kAttributeType, kInts);
  for (const auto* side : {&padding.begin, &padding.end})
    for (const std::int64_t pixels : *side)
      out.varint(kAttributeInts, static_cast<std::uint64_t>(std::max<std::int64_t>(pixels, 0)));
  return out.take();
}

std::string with_padding(Bytes node, const SamePadding& padding) {
  std::string out = onnx::rewrite(node, [](const Field& f, Writer&) {
    if (f.number != field::kAttribute) return false;
    const Bytes name = name_in(f.bytes, field::kAttributeName);
    return name == "auto_pad" || name == "pads";
  });
  return out + Writer().bytes(field::kAttribute, padding_attribute(padding)).text();
}

std::string with_length(Bytes tensor, std::uint64_t length) {
  return std::string(tensor) +
         Writer()
             .bytes(field::kExternalData, Writer()
                                              .bytes(field::kEntryKey, "length")
                                              .bytes(field::kEntryValue, std::to_string(length))
                                              .text())
             .text();
}

std::string repair_graph(Bytes graph, const onnx::ModelHeader& header, const Repairs& repairs) {
  std::size_t next = 0;
  return onnx::rewrite(graph, [&](const Field& f, Writer& writer) {
    if (f.number == field::kInput) return repairs.weights.contains(name_in(f.bytes, field::kValueName));
    if (f.number == field::kInitializer) {
      const auto found = repairs.lengths.find(name_in(f.bytes, field::kTensorName));
      if (found == repairs.lengths.end()) return false;
      writer.bytes(f.number, with_length(f.bytes, found->second));
      return true;
    }
    if (f.number != field::kNode) return false;
    const std::size_t place = next++;
    const auto window = repairs.windows.find(place);
    if (repairs.unfit.contains(place))
      writer.raw(kept_away(f.bytes));
    else if (repairs.casts.contains(place))
      write_casts(header.operators[place], writer);
    else if (window != repairs.windows.end())
      writer.bytes(f.number, with_padding(f.bytes, window->second));
    else
      return false;
    return true;
  });
}

}  // namespace

std::optional<std::string> repaired(std::string_view model, const onnx::FixedDims& dims) {
  const auto header = onnx::read_header(model, {});
  if (!header.ok()) return std::nullopt;
  const Repairs repairs = find_repairs(*header, model, dims);
  if (!repairs.any()) return std::nullopt;
  return onnx::rewrite(model, [&](const Field& f, Writer& writer) {
    if (f.number != field::kGraph) return false;
    writer.bytes(f.number, repair_graph(f.bytes, *header, repairs));
    return true;
  });
}

}  // namespace sluice::htp
