// preprocess on an accelerator: PictureScaler's work, done by a backend.
#pragma once

#include <memory>
#include <string>

#include "inference/picture_maker.h"
#include "nodes/pixels/scaler.h"

namespace sluice {

// Not thread-safe.
class DeviceScaler {
 public:
  // `services`: OpenContext::services. `device`: the backend's option. kUnavailable: why there is no gpu.
  static Result<DeviceScaler> open(void* services, const std::string& device, const pixels::Target& target);

  // Ok: there is a gpu. kUnavailable: why not.
  static Status available(void* services);

  // As PictureScaler::run; waits for the device. Allocates when the type of the pictures changes.
  Status run(const Image& image, std::byte* out);
  // Of the last picture.
  const Geometry& geometry() const { return geometry_; }

 private:
  DeviceScaler(std::unique_ptr<PictureMaker> maker, const pixels::Target& target)
      : maker_(std::move(maker)), target_(target) {}

  std::unique_ptr<PictureMaker> maker_;
  pixels::Target target_;
  bool prepared_ = false;
  ImageType type_;
  Geometry geometry_;
};

}  // namespace sluice
