// Pictures to tensors on an accelerator: what `preprocess` asks of a backend, in numbers alone, so that
// neither knows the other.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "framework/core/image.h"
#include "framework/core/status.h"
#include "framework/core/tensor.h"

namespace sluice {

// sample[first] * (1 - weight) + sample[first + 1] * weight; with weight 0 the second is not read.
struct PictureTap {
  std::int32_t first = 0;
  float weight = 0;
};

// How pictures of one type become one tensor (contract section 2, Pixels), worked out by the node.
struct PictureRecipe {
  // A stored plane and, per cell of the grid that holds picture, which of its samples are read. `along` its
  // rows: one tap per column of the grid, or per row where the picture is turned; `across` them: the others.
  struct Plane {
    int row_bytes = 0;
    int rows = 0;
    std::vector<PictureTap> along, across;
  };
  // What a colour needs of a plane: byte `byte` of each sample of `step` bytes.
  struct Component {
    int plane = 0;
    int byte = 0;
    int step = 1;
  };
  // element = pixel * scale + bias; integers: clamped to low..high, rounded half to even, plus zero_point.
  struct Element {
    float scale = 1, bias = 0, low = 0, high = 0;
    std::int32_t zero_point = 0;
  };

  // The tensor: dense, 1 x channels x height x width, or 1 x height x width x channels when interleaved.
  int width = 0, height = 0, channels = 0;
  bool interleaved = false;
  DType dtype = DType::kFloat32;  // or float16, uint8, int8, uint16, int16
  // Columns left .. left + columns - 1 of rows top .. top + rows - 1 hold picture, the others `pad`.
  int left = 0, top = 0, columns = 0, rows = 0;
  float pad = 0;        // a pixel's value
  bool turned = false;  // by 90 or 270 degrees
  int plane_count = 0;  // of those that are read
  std::array<Plane, 3> planes;
  int component_count = 0;
  std::array<Component, 3> components;
  // A channel's pixel value: color[c][0..2] times the components plus color[c][3], clamped to 0..255.
  std::array<std::array<float, 4>, 3> color{};
  std::array<Element, 3> elements;
};

// Memory that another device writes pictures to (a camera's buffer): a dma-buf, and where the process sees
// it.
struct SharedMemory {
  int descriptor = -1;        // its owner's; open, and the same memory, while it is adopted
  std::byte* data = nullptr;  // page aligned
  std::size_t bytes = 0;
};

// Not thread-safe: one picture at a time.
class PictureMaker {
 public:
  virtual ~PictureMaker() = default;
  // Pictures are of this kind from now on; may allocate. kUnavailable when the device has no memory for them.
  virtual Status prepare(const PictureRecipe& recipe) = 0;
  // Writes the tensor to `out`, which lies in host memory; waits for the device. The picture is of the type
  // that the recipe was made for. Allocates nothing once a picture of that layout was made.
  virtual Status run(const Image& image, std::byte* out) = 0;

  // Pictures that lie in `memory` are read there from now on, without a copy, until `disown`. Once for each
  // of a source's buffers, not for each picture: it maps the memory for the device. kUnavailable: why the
  // device does not take it; its pictures are copied like any others.
  virtual Status adopt(const SharedMemory& memory) = 0;
  // The memory that starts at `data` is about to go. Nothing when it was not adopted.
  virtual void disown(const std::byte* data) = 0;
};

// A Backend that can do so is one of these too.
class PictureBackend {
 public:
  virtual ~PictureBackend() = default;
  // `device`: as the backend's option. kUnavailable: exactly what is missing.
  virtual Result<std::unique_ptr<PictureMaker>> open_pictures(const std::string& device) = 0;
};

}  // namespace sluice
