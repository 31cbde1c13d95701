#include "tools/sluice/model_encodings.h"

#include <bit>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>

namespace sluice::cli {
namespace {

using Json = nlohmann::ordered_json;
using onnx::Initializer;

struct Element {
  std::string_view name;
  int bits = 0;
  bool is_signed = false;
};

std::optional<Element> element_of(std::int32_t element) {
  switch (element) {
    case onnx::kUint8:
      return Element{"uint8", 8, false};
    case onnx::kInt8:
      return Element{"int8", 8, true};
    case onnx::kUint16:
      return Element{"uint16", 16, false};
    case onnx::kInt16:
      return Element{"int16", 16, true};
    case onnx::kInt32:
      return Element{"int32", 32, true};
    default:
      return std::nullopt;
  }
}

template <typename T, typename Out>
void append_raw(onnx::Bytes bytes, std::vector<Out>& out) {
  for (; bytes.size() >= sizeof(T); bytes.remove_prefix(sizeof(T))) {
    T value;
    std::memcpy(&value, bytes.data(), sizeof value);
    out.push_back(static_cast<Out>(value));
  }
}

// The field of a TensorProto that holds its values: raw bytes, or a list of its type.
std::vector<float> floats_of(const Initializer& tensor) {
  std::vector<float> out;
  onnx::Reader reader(tensor.message);
  for (onnx::Field f; reader.next(f);) {
    if (f.number != onnx::field::kRawData && f.number != onnx::field::kFloatData) continue;
    if (f.type == onnx::WireType::kBytes) append_raw<float>(f.bytes, out);
    if (f.type == onnx::WireType::kFixed32)
      out.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(f.value)));
  }
  return out;
}

void append_integers(const Initializer& tensor, onnx::Bytes raw, std::vector<std::int32_t>& out) {
  switch (tensor.element) {
    case onnx::kUint8:
      return append_raw<std::uint8_t>(raw, out);
    case onnx::kInt8:
      return append_raw<std::int8_t>(raw, out);
    case onnx::kUint16:
      return append_raw<std::uint16_t>(raw, out);
    case onnx::kInt16:
      return append_raw<std::int16_t>(raw, out);
    default:
      return append_raw<std::int32_t>(raw, out);
  }
}

void append_varints(onnx::Bytes packed, std::vector<std::int32_t>& out) {
  std::uint64_t value = 0;
  unsigned shift = 0;
  for (const char c : packed) {
    const auto byte = static_cast<unsigned char>(c);
    if (shift < 64) value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    shift += 7;
    if (byte & 0x80) continue;
    out.push_back(static_cast<std::int32_t>(value));
    value = shift = 0;
  }
}

std::vector<std::int32_t> integers_of(const Initializer& tensor) {
  std::vector<std::int32_t> out;
  onnx::Reader reader(tensor.message);
  for (onnx::Field f; reader.next(f);) {
    if (f.number == onnx::field::kRawData) append_integers(tensor, f.bytes, out);
    if (f.number != onnx::field::kInt32Data) continue;
    if (f.type == onnx::WireType::kBytes) append_varints(f.bytes, out);
    if (f.type == onnx::WireType::kVarint) out.push_back(static_cast<std::int32_t>(f.value));
  }
  return out;
}

class EncodingReader {
 public:
  explicit EncodingReader(const onnx::ModelHeader& header) {
    for (const Initializer& tensor : header.initializers) constants_[tensor.name] = &tensor;
    for (const onnx::Operator& op : header.operators)
      if (op.type == "QuantizeLinear" && !op.inputs.empty() && !op.outputs.empty())
        quantised_from_[op.outputs[0]] = op.inputs[0];
  }

  std::optional<TensorEncoding> read(const onnx::Operator& op) const {
    if (op.type != "DequantizeLinear" || op.inputs.size() < 2 || op.outputs.size() != 1) return std::nullopt;
    const Initializer* const scale = constant(op.inputs[1]);
    const Initializer* const stored = constant(op.inputs[0]);
    // Without a zero point it is 0, and only stored integers show their type.
    const Initializer* const zero_point = op.inputs.size() > 2 ? constant(op.inputs[2]) : nullptr;
    const Initializer* const typed = op.inputs.size() > 2 ? zero_point : stored;
    if (!scale || !typed || scale->element != onnx::kFloat) return std::nullopt;
    const auto element = element_of(typed->element);
    if (!element) return std::nullopt;
    TensorEncoding out;
    out.weight = stored != nullptr;
    const auto real = quantised_from_.find(op.inputs[0]);
    out.name = std::string(real != quantised_from_.end() ? real->second : op.inputs[0]);
    out.dtype = std::string(element->name);
    out.scale = floats_of(*scale);
    out.zero_point = zero_point ? integers_of(*zero_point) : std::vector<std::int32_t>(out.scale.size());
    if (out.scale.empty() || out.scale.size() != out.zero_point.size()) return std::nullopt;
    return out;
  }

 private:
  const Initializer* constant(onnx::Bytes name) const {
    const auto found = constants_.find(name);
    return found == constants_.end() ? nullptr : found->second;
  }

  std::map<onnx::Bytes, const Initializer*> constants_;
  std::map<onnx::Bytes, onnx::Bytes> quantised_from_;  // integer tensor -> float tensor
};

Json json_of(const TensorEncoding& encoding) {
  const bool is_signed = encoding.dtype[0] == 'i';
  const int bits = encoding.dtype.ends_with("8") ? 8 : encoding.dtype.ends_with("16") ? 16 : 32;
  // In these files integers are always unsigned.
  const std::int64_t middle = is_signed ? std::int64_t{1} << (bits - 1) : 0;
  Json offsets = Json::array();
  for (const std::int32_t zero_point : encoding.zero_point) offsets.push_back(-(zero_point + middle));
  return {{"name", encoding.name},
          {"dtype", "INT"},
          {"bw", bits},
          {"is_sym", is_signed},
          {"enc_type", encoding.scale.size() > 1 ? "PER_CHANNEL" : "PER_TENSOR"},
          {"scale", encoding.scale},
          {"offset", std::move(offsets)}};
}

}  // namespace

std::vector<TensorEncoding> encodings_of(const onnx::ModelHeader& header) {
  const EncodingReader reader(header);
  std::vector<TensorEncoding> out;
  std::set<std::string> seen;
  for (const onnx::Operator& op : header.operators) {
    auto encoding = reader.read(op);
    if (encoding && seen.insert(encoding->name).second) out.push_back(std::move(*encoding));
  }
  return out;
}

std::string encodings_json(const std::vector<TensorEncoding>& encodings) {
  Json activations = Json::array(), parameters = Json::array();
  for (const TensorEncoding& encoding : encodings) {
    // Biases follow from their layer's input and weights; these files do not name them.
    if (encoding.dtype == "int32") continue;
    (encoding.weight ? parameters : activations).push_back(json_of(encoding));
  }
  return Json{{"version", "1.0.0"},
              {"activation_encodings", std::move(activations)},
              {"param_encodings", std::move(parameters)}}
             .dump(1) +
         "\n";
}

}  // namespace sluice::cli
