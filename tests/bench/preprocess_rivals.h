// The two ways of preparing a picture with OpenCV that `preprocess` is compared with: NV12 -> float NCHW RGB
// of another size, normalised per channel. Both keep their buffers between calls and use one thread (the
// caller sets cv::setNumThreads). Matrix: BT.601 limited range, the only one OpenCV's NV12 conversion has.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <opencv2/core.hpp>

namespace sluice::bench {

// A picture in memory of the caller; strides in bytes, even width and height.
struct Nv12Picture {
  const uint8_t* y = nullptr;
  size_t y_stride = 0;
  const uint8_t* uv = nullptr;
  size_t uv_stride = 0;
  int width = 0;
  int height = 0;
};

struct Normalisation {
  std::array<double, 3> mean{0, 0, 0};
  std::array<double, 3> std{1, 1, 1};
};

// What a rival keeps from call to call.
struct RivalBuffers {
  cv::Mat y, uv, rgb, scaled, normalised;
  std::array<cv::Mat, 3> channels;
};

// Planes first: Y is scaled to the target, UV to half of it, the small NV12 picture is converted, and each
// channel is normalised into `out` (3 x height x width floats). `width` and `height` are even.
void planes_first(const Nv12Picture& source, int width, int height, const Normalisation& norm,
                  RivalBuffers& buffers, float* out);

// The textbook chain: cvtColor of the whole picture, resize, convertTo, split into `out`. One alpha and beta
// for all channels, as convertTo has them: it uses the first mean and std.
void textbook_chain(const Nv12Picture& source, int width, int height, const Normalisation& norm,
                    RivalBuffers& buffers, float* out);

}  // namespace sluice::bench
