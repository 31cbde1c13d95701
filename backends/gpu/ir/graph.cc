#include "backends/gpu/ir/graph.h"

#include <cstring>

#include "framework/core/half.h"

namespace sluice::gpu {
namespace {

template <typename T, typename Out>
std::vector<Out> elements_as(const Value& value) {
  std::vector<Out> out(static_cast<std::size_t>(value.count()));
  for (std::size_t i = 0; i < out.size(); ++i) {
    T element;
    std::memcpy(&element, value.data + i * sizeof element, sizeof element);
    out[i] = static_cast<Out>(element);
  }
  return out;
}

template <typename T>
T attribute_or(const std::map<std::string, Attribute>& attributes, const std::string& name, T fallback) {
  const auto found = attributes.find(name);
  if (found == attributes.end()) return fallback;
  const T* value = std::get_if<T>(&found->second);
  return value ? *value : fallback;
}

}  // namespace

std::int64_t product(std::span<const std::int64_t> dims) {
  std::int64_t count = 1;
  for (const std::int64_t dim : dims) count *= dim;
  return count;
}

std::int64_t Value::count() const { return product(dims); }

std::int64_t Node::integer(const std::string& attribute, std::int64_t fallback) const {
  return attribute_or(attributes, attribute, fallback);
}
float Node::number(const std::string& attribute, float fallback) const {
  return attribute_or(attributes, attribute, fallback);
}
std::string Node::text(const std::string& attribute, const std::string& fallback) const {
  return attribute_or(attributes, attribute, fallback);
}
std::vector<std::int64_t> Node::integers(const std::string& attribute,
                                         std::vector<std::int64_t> fallback) const {
  return attribute_or(attributes, attribute, std::move(fallback));
}
std::vector<float> Node::numbers(const std::string& attribute) const {
  return attribute_or(attributes, attribute, std::vector<float>{});
}

std::optional<std::vector<std::int64_t>> constant_integers(const Value& value) {
  if (!value.constant()) return std::nullopt;
  if (value.dtype == DType::kInt64) return elements_as<std::int64_t, std::int64_t>(value);
  if (value.dtype == DType::kInt32) return elements_as<std::int32_t, std::int64_t>(value);
  return std::nullopt;
}

std::optional<std::vector<float>> constant_floats(const Value& value) {
  if (!value.constant()) return std::nullopt;
  switch (value.dtype) {
    case DType::kFloat32:
      return elements_as<float, float>(value);
    case DType::kUint8:
      return elements_as<std::uint8_t, float>(value);
    case DType::kInt8:
      return elements_as<std::int8_t, float>(value);
    case DType::kUint16:
      return elements_as<std::uint16_t, float>(value);
    case DType::kInt16:
      return elements_as<std::int16_t, float>(value);
    case DType::kInt32:
      return elements_as<std::int32_t, float>(value);
    case DType::kFloat16: {
      const auto bits = elements_as<std::uint16_t, std::uint16_t>(value);
      std::vector<float> out(bits.size());
      for (std::size_t i = 0; i < bits.size(); ++i) out[i] = from_half(bits[i]);
      return out;
    }
    default:
      return std::nullopt;
  }
}

ValueId add_constant(Graph& graph, const std::string& name, Dims dims, std::span<const float> elements) {
  Value value;
  value.name = name;
  value.dims = std::move(dims);
  value.known = true;
  auto bytes = std::make_shared<std::vector<std::byte>>(elements.size_bytes());
  std::memcpy(bytes->data(), elements.data(), elements.size_bytes());
  value.data = bytes->data();
  value.owned = std::move(bytes);
  graph.values.push_back(std::move(value));
  return static_cast<ValueId>(graph.values.size()) - 1;
}

}  // namespace sluice::gpu
