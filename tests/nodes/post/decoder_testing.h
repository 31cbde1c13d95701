// Hand-made outputs of detection models.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "nodes/decoders/decoder.h"
#include "tests/nodes/fake_context.h"

namespace sluice::testing {

inline TensorType tensor_type(std::string name, Shape shape, DType dtype = DType::kFloat32) {
  TensorType type;
  type.name = std::move(name);
  type.dtype = dtype;
  type.shape = shape;
  return type;
}

inline TensorType quantised(TensorType type, DType dtype, float scale, std::int32_t zero_point) {
  type.dtype = dtype;
  type.quant = QuantParams{{scale}, {zero_point}, -1};
  return type;
}

// The model's input, width x height, lies one to one on a picture of that size.
inline Geometry plain_geometry(int width, int height) {
  Geometry geometry;
  geometry.grid_width = geometry.source_width = width;
  geometry.grid_height = geometry.source_height = height;
  return geometry;
}

// Quantises as ONNX QuantizeLinear does.
template <typename T>
std::vector<T> quantise(const std::vector<float>& values, float scale, std::int32_t zero_point) {
  std::vector<T> out;
  for (const float value : values) {
    const double q = std::nearbyint(static_cast<double>(value) / scale) + zero_point;
    out.push_back(static_cast<T>(std::clamp(q, static_cast<double>(std::numeric_limits<T>::min()),
                                            static_cast<double>(std::numeric_limits<T>::max()))));
  }
  return out;
}

// The outputs of one model with their values: what a decoder is made for and what it reads.
struct Outputs {
  std::vector<TensorType> types;
  std::vector<Packet> packets;

  template <typename T>
  void add(const TensorType& type, const std::vector<T>& values, const Geometry& geometry) {
    types.push_back(type);
    packets.push_back(make_tensor(type, values, geometry));
  }
  std::vector<const Tensor*> tensors() const {
    std::vector<const Tensor*> out;
    out.reserve(packets.size());
    for (const Packet& packet : packets) out.push_back(packet.get<Tensor>());
    return out;
  }
};

inline Candidates decode(Decoder& decoder, const Outputs& outputs, float min_score) {
  Candidates candidates;
  candidates.reserve(decoder.max_candidates(), decoder.points_per_box());
  const std::vector<const Tensor*> tensors = outputs.tensors();
  const Status status = decoder.decode(tensors, min_score, candidates);
  EXPECT_TRUE(status.ok()) << status.message();
  return candidates;
}

}  // namespace sluice::testing
