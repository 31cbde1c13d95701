#include "inference/tensor_checks.h"

namespace sluice {
namespace {

// All exponent bits set: NaN or infinity. Works on the bits, so it holds under any floating-point option.
template <typename Bits>
std::uint64_t count_exponent(const Tensor& tensor, Bits exponent) {
  const auto* values = reinterpret_cast<const Bits*>(tensor.data);
  const std::size_t count = tensor.bytes / sizeof(Bits);
  std::uint64_t found = 0;
  for (std::size_t i = 0; i < count; ++i) found += (values[i] & exponent) == exponent ? 1 : 0;
  return found;
}

}  // namespace

std::uint64_t count_non_finite(DType dtype, const Tensor& tensor) {
  switch (dtype) {
    case DType::kFloat32:
      return count_exponent<std::uint32_t>(tensor, 0x7f800000u);
    case DType::kFloat16:
      return count_exponent<std::uint16_t>(tensor, 0x7c00u);
    case DType::kFloat64:
      return count_exponent<std::uint64_t>(tensor, 0x7ff0000000000000u);
    default:
      return 0;
  }
}

}  // namespace sluice
