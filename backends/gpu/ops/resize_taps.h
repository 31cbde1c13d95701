// Which input positions an output position of Resize is made of, along one axis.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::gpu {

struct ResizeRule {
  std::string mode = "nearest";  // nearest, linear, cubic
  std::string coordinates = "half_pixel";
  std::string nearest = "round_prefer_floor";
  float cubic_a = -0.75F;
  bool exclude_outside = false;
  bool antialias = false;
};

struct ResizeAxis {
  std::int64_t in = 1, out = 1;
  float scale = 1;                   // out / in, as the model gives it
  float roi_start = 0, roi_end = 1;  // of tf_crop_and_resize
};

// `taps` entries per output position: index in 0..in-1 (-1: outside, extrapolated) and weight.
struct AxisTaps {
  int taps = 1;
  std::vector<std::int32_t> index;
  std::vector<float> weight;
};

// ONNX operator Resize, versions 10 to 19, computed in float as ONNX Runtime does.
AxisTaps resize_taps(const ResizeRule& rule, const ResizeAxis& axis);

}  // namespace sluice::gpu
