#include "inference/onnx/encodings.h"

#include <bit>
#include <cstring>
#include <map>
#include <set>

namespace sluice::onnx {
namespace {

// Numbers written as a list: packed (varints one behind the other, or 4 bytes each) or one field each.
template <typename T>
bool read_listed(const Field& f, std::vector<T>& out) {
  if (f.type != WireType::kBytes) {
    if constexpr (std::is_same_v<T, float>) {
      out.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(f.value)));
    } else {
      out.push_back(static_cast<T>(f.value));
    }
    return true;
  }
  if constexpr (std::is_same_v<T, float>) {
    if (f.bytes.size() % sizeof(float) != 0) return false;
    const std::size_t at = out.size();
    out.resize(at + f.bytes.size() / sizeof(float));
    std::memcpy(out.data() + at, f.bytes.data(), f.bytes.size());
    return true;
  } else {
    Bytes rest = f.bytes;
    while (!rest.empty()) {  // give each varint a key and read it as a field
      std::size_t length = 0;
      while (length < rest.size() && (static_cast<std::uint8_t>(rest[length]) & 0x80u) != 0) ++length;
      const std::string keyed = std::string(1, '\x08') + std::string(rest.substr(0, length + 1));
      Reader number(keyed);
      Field value;
      if (!number.next(value)) return false;
      out.push_back(static_cast<T>(value.value));
      rest.remove_prefix(std::min(rest.size(), length + 1));
    }
    return true;
  }
}

template <typename Stored, typename T>
bool read_raw(Bytes bytes, std::vector<T>& out) {
  if (bytes.size() % sizeof(Stored) != 0) return false;
  for (std::size_t i = 0; i < bytes.size(); i += sizeof(Stored)) {
    Stored value;
    std::memcpy(&value, bytes.data() + i, sizeof value);
    out.push_back(static_cast<T>(value));
  }
  return true;
}

bool read_raw_integers(std::int32_t element, Bytes bytes, std::vector<std::int32_t>& out) {
  switch (element) {
    case kUint8:
      return read_raw<std::uint8_t>(bytes, out);
    case kInt8:
      return read_raw<std::int8_t>(bytes, out);
    case kUint16:
      return read_raw<std::uint16_t>(bytes, out);
    case kInt16:
      return read_raw<std::int16_t>(bytes, out);
    case kInt32:
      return read_raw<std::int32_t>(bytes, out);
    default:
      return false;
  }
}

class EncodingReader {
 public:
  explicit EncodingReader(const ModelHeader& header) {
    for (const Initializer& tensor : header.initializers) initializers_[tensor.name] = &tensor;
    for (const Operator& op : header.operators)
      if (op.type == "QuantizeLinear" && !op.outputs.empty()) makers_[op.outputs[0]] = &op;
  }

  void add(const Operator& op) {
    if (op.inputs.size() < 2 || op.outputs.empty()) return;
    const bool from = op.type == "DequantizeLinear";
    const Bytes integers = from ? op.inputs[0] : op.outputs[0];
    if (!seen_.insert(integers).second) return;
    const auto made = makers_.find(integers);
    const Operator& one = made == makers_.end() ? op : *made->second;
    const Initializer* stored = initializer(integers);
    TensorEncoding out;
    out.name = std::string(made == makers_.end() ? integers : one.inputs.at(0));
    out.weights = stored != nullptr;
    const Initializer* zero = one.inputs.size() > 2 ? initializer(one.inputs[2]) : nullptr;
    out.element = zero     ? zero->element
                  : stored ? stored->element
                           : static_cast<std::int32_t>(one.output_dtype > 0 ? one.output_dtype : kUint8);
    if (const Initializer* scale = initializer(one.inputs[1])) out.scales = float_values(*scale);
    if (zero) out.zero_points = int_values(*zero);
    found_.push_back(std::move(out));
  }
  std::vector<TensorEncoding> take() { return std::move(found_); }

 private:
  const Initializer* initializer(Bytes name) const {
    const auto it = initializers_.find(name);
    return it == initializers_.end() ? nullptr : it->second;
  }
  std::map<Bytes, const Initializer*> initializers_;
  std::map<Bytes, const Operator*> makers_;
  std::set<Bytes> seen_;
  std::vector<TensorEncoding> found_;
};

}  // namespace

std::vector<float> float_values(const Initializer& initializer) {
  std::vector<float> out;
  if (initializer.element != kFloat) return out;
  Reader reader(initializer.message);
  bool good = true;
  for (Field f; good && reader.next(f);) {
    if (f.number == field::kRawData) good = read_raw<float>(f.bytes, out);
    if (f.number == field::kFloatData) good = read_listed(f, out);
  }
  if (!good || static_cast<std::int64_t>(out.size()) != initializer.elements) out.clear();
  return out;
}

std::vector<std::int32_t> int_values(const Initializer& initializer) {
  std::vector<std::int32_t> out;
  Reader reader(initializer.message);
  bool good = true;
  for (Field f; good && reader.next(f);) {
    if (f.number == field::kRawData) good = read_raw_integers(initializer.element, f.bytes, out);
    if (f.number == field::kInt32Data) good = read_listed(f, out);
  }
  if (!good || static_cast<std::int64_t>(out.size()) != initializer.elements) out.clear();
  return out;
}

std::vector<TensorEncoding> read_encodings(const ModelHeader& header) {
  EncodingReader reader(header);
  for (const Operator& op : header.operators)
    if (op.type == "QuantizeLinear" || op.type == "DequantizeLinear") reader.add(op);
  return reader.take();
}

}  // namespace sluice::onnx
