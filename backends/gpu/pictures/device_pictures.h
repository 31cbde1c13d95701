// Pictures to tensors on an OpenCL device (inference/picture_maker.h): the planes go there as they are
// stored, one kernel makes the tensor, one read brings it back.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backends/gpu/device/context.h"
#include "backends/gpu/pictures/adopted_memory.h"
#include "inference/picture_maker.h"

namespace sluice::gpu {

class DevicePictures final : public PictureMaker {
 public:
  // `device`: `auto`, or a part of its name. kUnavailable: no such device, or it has not what is needed.
  static Result<std::unique_ptr<DevicePictures>> open(const Api& api, const std::string& device);

  Status prepare(const PictureRecipe& recipe) override;
  // A device that was lost is opened again, and the picture made on it, once.
  Status run(const Image& image, std::byte* out) override;
  Status adopt(const SharedMemory& memory) override { return adopted_.add(*context_, memory); }
  void disown(const std::byte* data) override { adopted_.remove(data); }
  ~DevicePictures() override;

 private:
  DevicePictures(const Api& api, DeviceInfo device) : api_(api), device_(std::move(device)) {}
  // A piece of the host's memory for one picture: in memory that was adopted, imported, or a buffer that it
  // is copied to or from.
  struct Piece {
    Buffer own, imported;
    AdoptedMemory::Place adopted;
    std::size_t room = 0;  // of `own`
    cl_mem get() const { return adopted.memory ? adopted.memory : imported ? imported.get() : own.get(); }
  };
  // How the rows of a plane lie in its buffer.
  struct Rows {
    std::ptrdiff_t stride = 0;
    std::size_t offset = 0;  // of the lowest one; bytes
    bool operator==(const Rows&) const = default;
  };

  Status connect();
  Status upload_recipe();
  Status describe_rows(const Image& image);
  Status attach(Piece& piece, const void* memory, std::size_t bytes, cl_mem_flags flags);
  Status attach_planes(const Image& image);
  Status bind();
  Status launch();
  Status finish(std::byte* out);
  Status make(const Image& image, std::byte* out);
  Status write(cl_mem to, std::size_t bytes, const void* from) const;
  template <typename T>
  Status refill(Buffer& buffer, const std::vector<T>& from, const char* what);
  std::size_t planes() const { return static_cast<std::size_t>(recipe_.plane_count); }
  void release_imports();

  const Api& api_;
  const DeviceInfo device_;
  std::shared_ptr<Context> context_;  // before what was made in it
  Queue queue_;
  Kernel kernel_;
  AdoptedMemory adopted_;
  std::array<Piece, 3> planes_;
  Piece tensor_;
  Buffer taps_, numbers_, factors_;
  PictureRecipe recipe_;
  std::int32_t type_ = 0;               // of the tensor's elements, as the kernel knows it
  std::array<Rows, 3> rows_{};          // that numbers_ tells; strides of 0: none yet
  std::vector<std::int32_t> integers_;  // numbers_, as it is on the device
  std::size_t tensor_bytes_ = 0;
  bool imports_ = true;  // until the driver does not take the host's memory
};

}  // namespace sluice::gpu
