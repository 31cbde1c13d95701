#include "apps/camera_demo/window.h"

#include <opencv2/highgui.hpp>
#include <opencv2/imgproc.hpp>

namespace {

// A dense copy as I420, the one planar format that OpenCV converts in a single call.
cv::Mat to_bgr(const sluice::Image& image) {
  const int w = image.type.width & ~1;
  const int h = image.type.height & ~1;
  const auto plane = [&](std::size_t p, int rows, int cols, int type) {
    return cv::Mat(rows, cols, type, image.planes[p], static_cast<std::size_t>(image.strides[p]));
  };
  cv::Mat out;
  switch (image.type.format) {
    case sluice::PixelFormat::kI420: {
      cv::Mat packed(h * 3 / 2, w, CV_8UC1);
      plane(0, h, w, CV_8UC1).copyTo(packed.rowRange(0, h));
      cv::Mat u(h / 2, w / 2, CV_8UC1, packed.ptr(h));
      cv::Mat v(h / 2, w / 2, CV_8UC1, packed.ptr(h) + (w / 2) * (h / 2));
      plane(1, h / 2, w / 2, CV_8UC1).copyTo(u);
      plane(2, h / 2, w / 2, CV_8UC1).copyTo(v);
      cv::cvtColor(packed, out, cv::COLOR_YUV2BGR_I420);
      return out;
    }
    case sluice::PixelFormat::kNv12:
      cv::cvtColorTwoPlane(plane(0, h, w, CV_8UC1), plane(1, h / 2, w / 2, CV_8UC2), out,
                           cv::COLOR_YUV2BGR_NV12);
      return out;
    case sluice::PixelFormat::kRgb:
      cv::cvtColor(plane(0, h, w, CV_8UC3), out, cv::COLOR_RGB2BGR);
      return out;
    case sluice::PixelFormat::kBgr:
      return plane(0, h, w, CV_8UC3).clone();
    default:
      return plane(0, h, w, CV_8UC1).clone();  // the luma plane of anything else
  }
}

}  // namespace

void Window::offer(const sluice::Packet& packet) {
  std::lock_guard lock(mutex_);
  newest_ = packet;
}

bool Window::show() {
  sluice::Packet packet;
  {
    std::lock_guard lock(mutex_);
    std::swap(packet, newest_);
  }
  if (const auto* image = packet.get<sluice::Image>()) cv::imshow(title_, to_bgr(*image));
  return (cv::waitKey(1) & 0xFF) != 'q';
}
