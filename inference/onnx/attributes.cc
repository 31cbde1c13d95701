#include "inference/onnx/attributes.h"

#include <bit>
#include <cstring>
#include <iterator>

#include "inference/onnx/model_header.h"

namespace sluice::onnx {
namespace {

// Fields of onnx.proto that only shapes need.
enum : std::uint32_t { kFloat32 = 2, kText = 4, kFloats = 7, kInts = 8, kInt64Data = 7 };

std::optional<std::uint64_t> varint_at(Bytes bytes, std::size_t& at) {
  std::uint64_t value = 0;
  for (int shift = 0; at < bytes.size() && shift < 64; shift += 7) {
    const auto byte = static_cast<std::uint8_t>(bytes[at++]);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

// A repeated integer, packed or not, goes on behind what is there.
void add_integers(const Field& f, std::vector<std::int64_t>& out) {
  if (f.type == WireType::kVarint) out.push_back(static_cast<std::int64_t>(f.value));
  if (f.type != WireType::kBytes) return;
  for (std::size_t at = 0; at < f.bytes.size();) {
    const auto value = varint_at(f.bytes, at);
    if (!value) return;
    out.push_back(static_cast<std::int64_t>(*value));
  }
}

template <typename T>
void add_raw(Bytes bytes, Numbers& out) {
  for (std::size_t at = 0; at + sizeof(T) <= bytes.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof(T));
    out.push_back(static_cast<double>(value));
  }
}

void add_floats(const Field& f, Numbers& out) {
  if (f.type == WireType::kFixed32) out.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(f.value)));
  if (f.type == WireType::kBytes) add_raw<float>(f.bytes, out);
}

void add_all(const std::vector<std::int64_t>& integers, Numbers& out) {
  for (const std::int64_t value : integers) out.push_back(static_cast<double>(value));
}

}  // namespace

Bytes Attributes::find(Bytes name) const {
  Reader reader(node_);
  for (Field f; reader.next(f);) {
    if (f.number != field::kAttribute) continue;
    Reader attribute(f.bytes);
    for (Field a; attribute.next(a);)
      if (a.number == field::kAttributeName && a.bytes == name) return f.bytes;
  }
  return {};
}

std::int64_t Attributes::number(Bytes name, std::int64_t otherwise) const {
  Reader reader(find(name));
  for (Field f; reader.next(f);)
    if (f.number == field::kAttributeInt) return static_cast<std::int64_t>(f.value);
  return otherwise;
}

std::optional<Numbers> Attributes::numbers(Bytes name) const {
  const Bytes attribute = find(name);
  if (attribute.empty()) return std::nullopt;
  Numbers out;
  std::vector<std::int64_t> integers;
  Reader reader(attribute);
  for (Field f; reader.next(f);) {
    if (f.number == kInts || f.number == field::kAttributeInt) add_integers(f, integers);
    if (f.number == kFloats || f.number == kFloat32) add_floats(f, out);
  }
  add_all(integers, out);
  return out;
}

Bytes Attributes::text(Bytes name) const {
  Reader reader(find(name));
  for (Field f; reader.next(f);)
    if (f.number == kText) return f.bytes;
  return {};
}

Bytes Attributes::tensor(Bytes name) const {
  Reader reader(find(name));
  for (Field f; reader.next(f);)
    if (f.number == field::kAttributeTensor) return f.bytes;
  return {};
}

std::vector<Bytes> node_messages(Bytes file) {
  std::vector<Bytes> out;
  Reader model(file);
  for (Field m; model.next(m);) {
    if (m.number != field::kGraph || m.type != WireType::kBytes) continue;
    Reader graph(m.bytes);
    for (Field f; graph.next(f);)
      if (f.number == field::kNode) out.push_back(f.bytes);
    if (!graph.complete()) return {};
  }
  return model.complete() ? out : std::vector<Bytes>();
}

std::vector<std::int64_t> tensor_dims(Bytes tensor) {
  std::vector<std::int64_t> out;
  Reader reader(tensor);
  for (Field f; reader.next(f);)
    if (f.number == field::kDims) add_integers(f, out);
  return out;
}

std::int64_t tensor_elements(Bytes tensor) {
  constexpr std::int64_t kSane = std::int64_t{1} << 31;
  std::int64_t out = 1;
  for (const std::int64_t size : tensor_dims(tensor)) {
    if (size < 0 || size >= kSane || out * size >= kSane) return -1;
    out *= size;
  }
  return out;
}

std::int32_t tensor_element(Bytes tensor) {
  std::int32_t out = 0;
  Reader reader(tensor);
  for (Field f; reader.next(f);)
    if (f.number == field::kDataType) out = static_cast<std::int32_t>(f.value);
  return out;
}

std::optional<Numbers> tensor_numbers(Bytes tensor) {
  const std::int64_t elements = tensor_elements(tensor);
  if (elements < 0 || elements > kMostElements) return std::nullopt;
  const std::int32_t type = tensor_element(tensor);
  Numbers out;
  std::vector<std::int64_t> integers;
  constexpr std::size_t kLongestElement = 10;  // bytes of a 64 bit varint
  Reader reader(tensor);
  for (Field f; reader.next(f);) {
    if (f.bytes.size() > kMostElements * kLongestElement) return std::nullopt;  // not what its dims say
    if (f.number == field::kRawData && type == kFloat) add_raw<float>(f.bytes, out);
    if (f.number == field::kRawData && type == kInt64) add_raw<std::int64_t>(f.bytes, out);
    if (f.number == field::kRawData && type == kInt32) add_raw<std::int32_t>(f.bytes, out);
    if (f.number == field::kFloatData && type == kFloat) add_floats(f, out);
    if (f.number == field::kInt32Data && type == kInt32) add_integers(f, integers);
    if (f.number == kInt64Data && type == kInt64) add_integers(f, integers);
  }
  add_all(integers, out);
  return std::ssize(out) == elements ? std::optional(out) : std::nullopt;
}

}  // namespace sluice::onnx
