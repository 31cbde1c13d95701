#include "backends/ort/fixed_inputs.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "inference/onnx/rewrite.h"

namespace sluice::ort {
namespace {

using onnx::Bytes;
using onnx::Field;
using onnx::rewrite;
using onnx::Writer;
namespace field = onnx::field;

using Sizes = std::map<Bytes, std::vector<std::int64_t>>;  // of inputs, by name

bool is_nameless(const onnx::Dim& dim) { return dim.value < 0 && dim.name.empty(); }

Bytes name_of(Bytes value_info) {
  onnx::Reader reader(value_info);
  for (Field f; reader.next(f);)
    if (f.number == field::kValueName) return f.bytes;
  return {};
}

bool is_free(Bytes dimension) {
  onnx::Reader reader(dimension);
  for (Field f; reader.next(f);) {
    if (f.number == field::kDimValue && static_cast<std::int64_t>(f.value) >= 0) return false;
    if (f.number == field::kDimParam && !f.bytes.empty()) return false;
  }
  return true;
}

std::string fix_shape(Bytes shape, const std::vector<std::int64_t>& sizes) {
  std::size_t place = 0;
  return rewrite(shape, [&](const Field& f, Writer& writer) {
    if (f.number != field::kDimension) return false;
    const std::size_t here = place++;
    if (here >= sizes.size() || !is_free(f.bytes)) return false;
    const auto size = static_cast<std::uint64_t>(sizes[here]);
    writer.bytes(f.number, Writer().varint(field::kDimValue, size).text());
    return true;
  });
}

// `number` of a message is itself a message, which `change` makes anew.
template <typename Change>
std::string within(Bytes message, std::uint32_t number, Change change) {
  return rewrite(message, [&](const Field& f, Writer& writer) {
    if (f.number != number) return false;
    writer.bytes(number, change(f.bytes));
    return true;
  });
}

std::string fix_input(Bytes value_info, const std::vector<std::int64_t>& sizes) {
  return within(value_info, field::kValueType, [&](Bytes type) {
    return within(type, field::kTensorType, [&](Bytes tensor) {
      return within(tensor, field::kShape, [&](Bytes shape) { return fix_shape(shape, sizes); });
    });
  });
}

}  // namespace

std::optional<std::string> with_fixed_inputs(std::string_view model, const onnx::ModelHeader& header,
                                             const ModelSignature& signature, int batch) {
  Sizes sizes;
  for (std::size_t i = 0; i < header.inputs.size(); ++i) {
    if (std::ranges::none_of(header.inputs[i].dims, is_nameless)) continue;
    const Shape& shape = signature.inputs[i].shape;
    auto& of_input = sizes[header.inputs[i].name];
    for (std::size_t d = 0; d < header.inputs[i].dims.size(); ++d)
      of_input.push_back(d == 0 && signature.symbolic_batch ? batch : shape[d]);
  }
  if (sizes.empty()) return std::nullopt;
  return within(model, field::kGraph, [&](Bytes graph) {
    return rewrite(graph, [&](const Field& f, Writer& writer) {
      const auto found = f.number == field::kInput ? sizes.find(name_of(f.bytes)) : sizes.end();
      if (found == sizes.end()) return false;
      writer.bytes(f.number, fix_input(f.bytes, found->second));
      return true;
    });
  });
}

}  // namespace sluice::ort
