// Numbers in and out of ONNX's TensorProto.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/status.h"
#include "quantize/onnx_proto.h"

namespace sluice::quantize {

// Product of the dimensions; 1 for a scalar.
std::int64_t elements_of(const pb::TensorProto& tensor);
std::vector<std::int64_t> dims_of(const pb::TensorProto& tensor);

// The numbers of a float32 tensor that lies in the model itself. kUnavailable: another type, or fewer bytes
// than its dimensions say.
Result<std::vector<float>> floats_of(const pb::TensorProto& tensor);
// Of an int32 or int64 tensor.
Result<std::vector<std::int64_t>> integers_of(const pb::TensorProto& tensor);

// A tensor of `element` (a TensorProto data type) from its bytes in row-major order.
pb::TensorProto make_tensor(const std::string& name, std::int32_t element, std::span<const std::int64_t> dims,
                            std::string_view bytes);
pb::TensorProto make_floats(const std::string& name, std::span<const std::int64_t> dims,
                            std::span<const float> values);
pb::TensorProto make_integers(const std::string& name, std::span<const std::int64_t> dims,
                              std::span<const std::int64_t> values);
// The same tensor with other numbers.
void set_floats(pb::TensorProto& tensor, std::span<const float> values);

// Attributes of a node.
const pb::AttributeProto* find_attribute(const pb::NodeProto& node, std::string_view name);
std::int64_t integer_attribute(const pb::NodeProto& node, std::string_view name, std::int64_t otherwise);
void set_attribute(pb::NodeProto& node, const std::string& name, std::int64_t value);
void set_attribute(pb::NodeProto& node, const std::string& name, const std::string& value);
void remove_attribute(pb::NodeProto& node, std::string_view name);

}  // namespace sluice::quantize
