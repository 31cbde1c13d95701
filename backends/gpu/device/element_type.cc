#include "backends/gpu/device/element_type.h"

#include "backends/gpu/kernels/element_types.h"

namespace sluice::gpu {

std::optional<std::int32_t> element_type(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return TYPE_FLOAT32;
    case DType::kFloat16:
      return TYPE_FLOAT16;
    case DType::kUint8:
    case DType::kBool:
      return TYPE_UINT8;
    case DType::kInt8:
      return TYPE_INT8;
    case DType::kUint16:
      return TYPE_UINT16;
    case DType::kInt16:
      return TYPE_INT16;
    case DType::kInt32:
      return TYPE_INT32;
    case DType::kInt64:
      return TYPE_INT64;
    case DType::kFloat64:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace sluice::gpu
