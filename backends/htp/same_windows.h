// Windows that step over pixels: padded by auto_pad SAME_UPPER or SAME_LOWER, with strides so much larger
// than the kernel that the padding is below 0. The provider dies of them, or computes nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "inference/onnx/model_header.h"
#include "inference/onnx/shapes.h"

namespace sluice::htp {

// What the first and last windows miss or overlap, for each spatial dimension; below 0: the first window
// starts inside the picture.
struct SamePadding {
  std::vector<std::int64_t> begin, end;
  bool starts_inside() const;
};

// By the place of their operators; `file` is what `header` was read from. What has no fixed shape is left
// out.
std::map<std::size_t, SamePadding> same_windows(const onnx::ModelHeader& header, std::string_view file,
                                                const onnx::FixedDims& dims);

// What a Conv or a pool moves over its input, by spatial dimension, with the padding that auto_pad makes (0
// where it would be less).
struct Windows {
  onnx::Dims kernel, strides, dilations;  // empty: not known
  SamePadding padding;
};
Windows windows_of(const onnx::Operator& op, onnx::Bytes message, const onnx::ModelHeader& header,
                   const onnx::Shapes& shapes);

}  // namespace sluice::htp
