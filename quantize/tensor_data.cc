#include "quantize/tensor_data.h"

#include <algorithm>
#include <cstring>

namespace sluice::quantize {
namespace {

template <typename T>
std::string_view bytes_of(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

Status cut_short(const pb::TensorProto& tensor) {
  return unavailable("tensor '" + tensor.name() +
                     "' has fewer numbers than its dimensions say; export the model again");
}

// `T`: how raw bytes store it; `typed`: the field that is used instead of them.
template <typename T, typename Out, typename Field>
Result<std::vector<Out>> numbers(const pb::TensorProto& tensor, const Field& typed) {
  const auto count = static_cast<std::size_t>(elements_of(tensor));
  std::vector<Out> out(count);
  if (tensor.has_raw_data()) {
    const std::string& raw = tensor.raw_data();
    if (raw.size() / sizeof(T) < count) return cut_short(tensor);
    for (std::size_t i = 0; i < count; ++i) {
      T value;
      std::memcpy(&value, raw.data() + i * sizeof(T), sizeof(T));
      out[i] = static_cast<Out>(value);
    }
    return out;
  }
  if (static_cast<std::size_t>(typed.size()) < count) return cut_short(tensor);
  std::transform(typed.begin(), typed.begin() + static_cast<std::ptrdiff_t>(count), out.begin(),
                 [](auto value) { return static_cast<Out>(value); });
  return out;
}

}  // namespace

std::int64_t elements_of(const pb::TensorProto& tensor) {
  std::int64_t out = 1;
  for (const std::int64_t dim : tensor.dims()) {
    if (dim < 0 || __builtin_mul_overflow(out, dim, &out)) return 0;
  }
  return out;
}

std::vector<std::int64_t> dims_of(const pb::TensorProto& tensor) {
  return {tensor.dims().begin(), tensor.dims().end()};
}

Result<std::vector<float>> floats_of(const pb::TensorProto& tensor) {
  if (tensor.data_type() != pb::TensorProto::FLOAT)
    return unavailable("tensor '" + tensor.name() + "' is no float32 tensor");
  return numbers<float, float>(tensor, tensor.float_data());
}

Result<std::vector<std::int64_t>> integers_of(const pb::TensorProto& tensor) {
  if (tensor.data_type() == pb::TensorProto::INT32)
    return numbers<std::int32_t, std::int64_t>(tensor, tensor.int32_data());
  if (tensor.data_type() == pb::TensorProto::INT64)
    return numbers<std::int64_t, std::int64_t>(tensor, tensor.int64_data());
  return unavailable("tensor '" + tensor.name() + "' is no integer tensor");
}

pb::TensorProto make_tensor(const std::string& name, std::int32_t element, std::span<const std::int64_t> dims,
                            std::string_view bytes) {
  pb::TensorProto out;
  out.set_name(name);
  out.set_data_type(element);
  for (const std::int64_t dim : dims) out.add_dims(dim);
  out.set_raw_data(bytes.data(), bytes.size());
  return out;
}

pb::TensorProto make_floats(const std::string& name, std::span<const std::int64_t> dims,
                            std::span<const float> values) {
  return make_tensor(name, pb::TensorProto::FLOAT, dims, bytes_of(values));
}

pb::TensorProto make_integers(const std::string& name, std::span<const std::int64_t> dims,
                              std::span<const std::int64_t> values) {
  return make_tensor(name, pb::TensorProto::INT64, dims, bytes_of(values));
}

void set_floats(pb::TensorProto& tensor, std::span<const float> values) {
  tensor.clear_float_data();
  const std::string_view bytes = bytes_of(values);
  tensor.set_raw_data(bytes.data(), bytes.size());
}

const pb::AttributeProto* find_attribute(const pb::NodeProto& node, std::string_view name) {
  for (const pb::AttributeProto& attribute : node.attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

std::int64_t integer_attribute(const pb::NodeProto& node, std::string_view name, std::int64_t otherwise) {
  const pb::AttributeProto* const attribute = find_attribute(node, name);
  return attribute ? attribute->i() : otherwise;
}

void set_attribute(pb::NodeProto& node, const std::string& name, std::int64_t value) {
  remove_attribute(node, name);
  pb::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(pb::AttributeProto::INT);
  attribute.set_i(value);
}

void set_attribute(pb::NodeProto& node, const std::string& name, const std::string& value) {
  remove_attribute(node, name);
  pb::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(pb::AttributeProto::STRING);
  attribute.set_s(value);
}

void remove_attribute(pb::NodeProto& node, std::string_view name) {
  auto& all = *node.mutable_attribute();
  all.erase(std::remove_if(all.begin(), all.end(), [&](const auto& a) { return a.name() == name; }),
            all.end());
}

}  // namespace sluice::quantize
