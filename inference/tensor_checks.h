// Checks of tensors on the hot path: written so that compilers vectorise them.
#pragma once

#include <cstdint>

#include "framework/core/packet.h"
#include "framework/core/tensor.h"

namespace sluice {

// How many elements of a float16, float32 or float64 tensor are NaN or infinite; 0 for other types.
std::uint64_t count_non_finite(DType dtype, const Tensor& tensor);

}  // namespace sluice
