// Random pictures and targets, and how far a tensor is from the float64 reference: for every engine that
// makes tensors of pictures.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <sstream>
#include <string>

#include "framework/core/half.h"
#include "nodes/pixels/scaler.h"
#include "tests/nodes/pre/reference.h"

namespace sluice::pixels {

using testing::Reference;
using testing::ReferenceTarget;

// A picture of seeded samples in memory without a byte to spare, so that sanitizers see each read outside.
struct Picture {
  Image image;
  std::array<std::vector<std::uint8_t>, 3> memory;
};

inline Picture make_picture(const ImageType& type, int extra_stride, bool smooth, std::mt19937& random) {
  Picture picture;
  picture.image.type = type;
  for (int p = 0; p < plane_count(type.format); ++p) {
    const PlaneSize size = plane_size(type, p);
    const int stride = size.width * size.bytes_per_sample + extra_stride;
    auto& memory = picture.memory[static_cast<std::size_t>(p)];
    memory.resize(static_cast<std::size_t>(stride * (size.height - 1) + size.width * size.bytes_per_sample));
    for (std::size_t i = 0; i < memory.size(); ++i) {
      memory[i] = static_cast<std::uint8_t>(smooth ? i * 7 / static_cast<std::size_t>(stride + 1) + i % 64
                                                   : random());
    }
    picture.image.planes[static_cast<std::size_t>(p)] = memory.data();
    picture.image.strides[static_cast<std::size_t>(p)] = stride;
  }
  return picture;
}

inline double element(const std::byte* data, DType dtype, std::size_t i) {
  const auto read = [&]<typename T>(T value) {
    std::memcpy(&value, data + i * sizeof(T), sizeof(T));
    return value;
  };
  switch (dtype) {
    case DType::kFloat16:
      return from_half(read(std::uint16_t{}));
    case DType::kUint8:
      return read(std::uint8_t{});
    case DType::kInt8:
      return read(std::int8_t{});
    case DType::kUint16:
      return read(std::uint16_t{});
    case DType::kInt16:
      return read(std::int16_t{});
    default:
      return static_cast<double>(read(float{}));
  }
}

// The pixel value (0..255) that element (x, y, c) stands for.
inline double pixel_of(const std::vector<std::byte>& tensor, const Target& t, int x, int y, int c) {
  const int channels = t.channels();
  const int place =
      t.layout == Layout::kNhwc ? (y * t.width + x) * channels + c : (c * t.height + y) * t.width + x;
  double value = element(tensor.data(), t.dtype, static_cast<std::size_t>(place));
  const auto channel = static_cast<std::size_t>(c);
  if (t.quant) {
    const std::size_t q = t.quant->per_tensor() ? 0 : channel;
    value = (value - t.quant->zero_point[q]) * static_cast<double>(t.quant->scale[q]);
  }
  return value * t.std[channel] + t.mean[channel];
}

struct Errors {
  double max = 0;
  double mean = 0;
};

inline Errors errors_of(const std::vector<std::byte>& tensor, const Target& t, const Image& image) {
  const Reference reference(
      image, {static_cast<ReferenceTarget::Fit>(t.fit), static_cast<ReferenceTarget::Color>(t.color), t.width,
              t.height, t.pad_value});
  Errors errors;
  for (int y = 0; y < t.height; ++y) {
    for (int x = 0; x < t.width; ++x) {
      const std::array<double, 3> want = reference.pixel(x, y);
      for (int c = 0; c < t.channels(); ++c) {
        const double off = std::abs(pixel_of(tensor, t, x, y, c) - want[static_cast<std::size_t>(c)]);
        errors.max = std::max(errors.max, off);
        errors.mean += off / (t.width * t.height * t.channels());
      }
    }
  }
  return errors;
}

inline std::vector<std::byte> tensor_for(const Target& t) {
  return std::vector<std::byte>(static_cast<std::size_t>(t.width * t.height * t.channels()) *
                                size_of(t.dtype));
}

template <typename T>
T pick(std::mt19937& random, std::initializer_list<T> from) {
  return *(from.begin() + random() % from.size());
}

inline ImageType random_type(std::mt19937& random) {
  ImageType type;
  type.format = pick(random, {PixelFormat::kNv12, PixelFormat::kI420, PixelFormat::kI422, PixelFormat::kI444,
                              PixelFormat::kBgr, PixelFormat::kRgb, PixelFormat::kGray});
  type.width = 1 + static_cast<int>(random() % pick(random, {8u, 60u, 200u}));
  type.height = 1 + static_cast<int>(random() % pick(random, {8u, 60u, 130u}));
  type.color.matrix = pick(
      random, {ColorMatrix::kUnspecified, ColorMatrix::kBt601, ColorMatrix::kBt709, ColorMatrix::kBt2020});
  type.color.range = pick(random, {ColorRange::kUnspecified, ColorRange::kLimited, ColorRange::kFull});
  type.rotation = pick(random, {0, 0, 90, 180, 270});
  return type;
}

inline Target random_target(std::mt19937& random) {
  Target t;
  t.width = 1 + static_cast<int>(random() % 70);
  t.height = 1 + static_cast<int>(random() % 70);
  t.layout = pick(random, {Layout::kNchw, Layout::kNhwc});
  t.dtype = pick(
      random, {DType::kFloat32, DType::kFloat16, DType::kUint8, DType::kUint16, DType::kInt8, DType::kInt16});
  t.fit = pick(random, {Fit::kStretch, Fit::kLetterbox, Fit::kCrop});
  t.color = pick(random, {Color::kRgb, Color::kBgr, Color::kGray});
  t.pad_value = pick(random, {0.0, 114.0, 127.5, 255.0});
  const bool plain = t.dtype == DType::kUint8 || t.dtype == DType::kUint16 || t.dtype == DType::kInt16;
  if (plain && random() % 2) return t;
  if (t.dtype == DType::kFloat32 || t.dtype == DType::kFloat16) {
    t.mean = {123.675, 116.28, 103.53};
    t.std = {58.395, 57.12, 57.375};
    return t;
  }
  // Integers with room for the whole range: real values are 0..1 or -1..1.
  t.std = {255, 255, 255};
  const std::int32_t levels = size_of(t.dtype) == 1 ? 255 : 65535;
  const std::int32_t zero = t.dtype == DType::kInt8 ? -128 : t.dtype == DType::kInt16 ? -32768 : 0;
  t.quant = QuantParams{{1.0f / static_cast<float>(levels)}, {zero}, -1};
  if (random() % 2 == 0 && t.color != Color::kGray) {
    t.quant = QuantParams{{1.0f / static_cast<float>(levels), 1.1f / static_cast<float>(levels),
                           1.2f / static_cast<float>(levels)},
                          {zero, zero, zero},
                          t.layout == Layout::kNchw ? 1 : 3};
  }
  return t;
}

inline std::string describe(const ImageType& type, const Target& target) {
  std::ostringstream out;
  out << name_of(type.format) << " " << type.width << "x" << type.height << " rotation " << type.rotation
      << " -> " << target.width << "x" << target.height << " " << name_of(target.dtype) << " "
      << name_of(target.layout) << " fit " << static_cast<int>(target.fit) << " color "
      << static_cast<int>(target.color);
  return out.str();
}

// Integers round to half a level on top; 8-bit ones of 1.2 times the range to 0.6.
inline double rounding_of(const Target& target) { return is_integer(target.dtype) ? 0.61 : 0.0; }

}  // namespace sluice::pixels
