#pragma once

#include <cstdint>
#include <optional>

#include "framework/core/tensor.h"

namespace sluice::gpu {

// The number by which kernels know an element type of the host (kernels/element_types.h); nothing for one
// that they neither read nor write.
std::optional<std::int32_t> element_type(DType dtype);

}  // namespace sluice::gpu
