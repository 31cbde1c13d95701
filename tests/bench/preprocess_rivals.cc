#include "preprocess_rivals.h"

#include <opencv2/imgproc.hpp>

namespace sluice::bench {

namespace {

// OpenCV has no view of constant memory; none of the callers writes through these.
cv::Mat view(const uint8_t* data, int rows, int cols, int type, size_t stride) {
  return cv::Mat(rows, cols, type, const_cast<uint8_t*>(data), stride);
}

cv::Mat luma_of(const Nv12Picture& p) { return view(p.y, p.height, p.width, CV_8UC1, p.y_stride); }
cv::Mat chroma_of(const Nv12Picture& p) {
  return view(p.uv, p.height / 2, p.width / 2, CV_8UC2, p.uv_stride);
}

// One plane of the NCHW tensor.
cv::Mat plane_of(float* out, int channel, int width, int height) {
  return cv::Mat(height, width, CV_32FC1, out + static_cast<ptrdiff_t>(channel) * width * height);
}

}  // namespace

void planes_first(const Nv12Picture& source, int width, int height, const Normalisation& norm,
                  RivalBuffers& buffers, float* out) {
  cv::resize(luma_of(source), buffers.y, {width, height}, 0, 0, cv::INTER_LINEAR);
  cv::resize(chroma_of(source), buffers.uv, {width / 2, height / 2}, 0, 0, cv::INTER_LINEAR);
  cv::cvtColorTwoPlane(buffers.y, buffers.uv, buffers.rgb, cv::COLOR_YUV2RGB_NV12);
  // Splitting bytes first moves a quarter of what splitting floats would.
  cv::split(buffers.rgb, buffers.channels.data());
  for (int c = 0; c < 3; ++c) {
    const auto i = static_cast<size_t>(c);
    cv::Mat plane = plane_of(out, c, width, height);
    buffers.channels[i].convertTo(plane, CV_32F, 1.0 / norm.std[i], -norm.mean[i] / norm.std[i]);
  }
}

void textbook_chain(const Nv12Picture& source, int width, int height, const Normalisation& norm,
                    RivalBuffers& buffers, float* out) {
  cv::cvtColorTwoPlane(luma_of(source), chroma_of(source), buffers.rgb, cv::COLOR_YUV2RGB_NV12);
  cv::resize(buffers.rgb, buffers.scaled, {width, height}, 0, 0, cv::INTER_LINEAR);
  buffers.scaled.convertTo(buffers.normalised, CV_32F, 1.0 / norm.std[0], -norm.mean[0] / norm.std[0]);
  std::array<cv::Mat, 3> planes;
  for (int c = 0; c < 3; ++c) planes[static_cast<size_t>(c)] = plane_of(out, c, width, height);
  cv::split(buffers.normalised, planes.data());
}

}  // namespace sluice::bench
