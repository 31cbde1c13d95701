// One yuv420p picture -> the model's input (NHWC float RGB, (pixel - 127.5) / 127.5): the three planes are
// scaled first, then only the small picture is converted. Of cv::resize, libyuv and own loops on planes,
// cv::resize was the fastest for 720p on x86-64. Buffers are made once.
#pragma once

extern "C" {
#include <libavutil/frame.h>
}

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <opencv2/imgproc.hpp>

#include "measure.h"

namespace baseline {

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define BASELINE_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define BASELINE_CLONES
#endif

// Rows of Y, U, V at the same small size -> normalised RGB; limited range. The matrix is given by its red-V,
// green-U, green-V and blue-U factors. Free function, because clones for each instruction set need one.
BASELINE_CLONES inline void convert_row(const uint8_t* __restrict y, const uint8_t* __restrict u,
                                        const uint8_t* __restrict v, float* __restrict out, int width,
                                        const float* __restrict matrix) {
  const float rv = matrix[0];
  const float gu = matrix[1];
  const float gv = matrix[2];
  const float bu = matrix[3];
  for (int x = 0; x < width; ++x) {
    const float luma = (static_cast<float>(y[x]) - 16.0F) * (255.0F / 219.0F);
    const float cb = static_cast<float>(u[x]) - 128.0F;
    const float cr = static_cast<float>(v[x]) - 128.0F;
    const float r = std::min(std::max(luma + rv * cr, 0.0F), 255.0F);
    const float g = std::min(std::max(luma - gu * cb - gv * cr, 0.0F), 255.0F);
    const float b = std::min(std::max(luma + bu * cb, 0.0F), 255.0F);
    out[3 * x + 0] = r * (1.0F / 127.5F) - 1.0F;
    out[3 * x + 1] = g * (1.0F / 127.5F) - 1.0F;
    out[3 * x + 2] = b * (1.0F / 127.5F) - 1.0F;
  }
}

class PlanesToTensor {
 public:
  PlanesToTensor(const Options& options, int width, int height) : size_(options.size) {
    const double scale = std::min(static_cast<double>(size_) / width, static_cast<double>(size_) / height);
    cv::Size scaled(size_, size_);
    if (!options.stretch) scaled = {cvFloor(width * scale + 0.5), cvFloor(height * scale + 0.5)};
    left_ = (size_ - scaled.width) / 2;
    top_ = (size_ - scaled.height) / 2;
    for (cv::Mat& plane : planes_) plane.create(scaled, CV_8UC1);
    // A stream that does not say: BT.709 from 720 lines up, else BT.601.
    const float bt709[4] = {1.79274107F, 0.21324861F, 0.53290933F, 2.11240179F};
    const float bt601[4] = {1.59602679F, 0.39176229F, 0.81296765F, 2.01723214F};
    std::copy_n(height >= 720 ? bt709 : bt601, 4, matrix_);
    cv::setNumThreads(1);  // no thread pool beside ours
  }

  // Writes the border of a tensor; `convert` never touches it, so once per buffer is enough.
  void prepare(float* tensor) const { std::fill_n(tensor, static_cast<size_t>(size_) * size_ * 3, -1.0F); }

  void convert(const AVFrame& frame, float* tensor) {
    for (int i = 0; i < 3; ++i) {
      const int width = i == 0 ? frame.width : (frame.width + 1) / 2;
      const int height = i == 0 ? frame.height : (frame.height + 1) / 2;
      const cv::Mat source(height, width, CV_8UC1, frame.data[i], static_cast<size_t>(frame.linesize[i]));
      cv::resize(source, planes_[i], planes_[i].size(), 0, 0, cv::INTER_LINEAR);
    }
    for (int row = 0; row < planes_[0].rows; ++row) {
      float* out = tensor + (static_cast<ptrdiff_t>(top_ + row) * size_ + left_) * 3;
      convert_row(planes_[0].ptr(row), planes_[1].ptr(row), planes_[2].ptr(row), out, planes_[0].cols,
                  matrix_);
    }
  }

 private:
  int size_;
  int left_ = 0;
  int top_ = 0;
  cv::Mat planes_[3];
  float matrix_[4];
};

}  // namespace baseline
