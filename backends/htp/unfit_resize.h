// Which Resizes QNN computes as ONNX means them.
#pragma once

#include <string>

#include "inference/onnx/attributes.h"
#include "inference/onnx/shape_parts.h"

namespace sluice::htp {

// What is wrong with it; empty: nothing. `scales` may be empty: the sizes say them.
std::string why_resize_is_unfit(const onnx::Attributes& attributes, const onnx::Dims& in,
                                const onnx::Dims& out, const onnx::Numbers& scales);

}  // namespace sluice::htp
