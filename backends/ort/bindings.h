// One run slot: the OrtValues that stand for the tensors it was run with, so that no run makes them anew.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "backends/ort/api.h"
#include "framework/core/packet.h"
#include "framework/core/status.h"
#include "inference/inference.h"

namespace sluice::ort {

ONNXTensorElementDataType element_of(DType dtype);

// The tensors that one input or output was bound to, by address, size and memory: an address may have come
// back from another allocator. Pools have few buffers; beyond
// kMost the oldest entry makes room. Not thread-safe: a slot runs one thing at a time.
class PortBindings {
 public:
  explicit PortBindings(const TensorType& type) : type_(type) {}
  // The value that views `tensor`'s memory; owned by this object. Throws Ort::Exception.
  OrtValue* bind(const OrtMemoryInfo* memory, std::byte* data, std::size_t bytes, std::size_t batch);

 private:
  static constexpr std::size_t kMost = 64;
  struct Bound {
    const OrtMemoryInfo* memory = nullptr;
    const std::byte* data = nullptr;
    std::size_t bytes = 0;
    Ort::Value value{nullptr};
  };
  const TensorType& type_;
  std::vector<Bound> bound_;
  std::size_t next_ = 0;  // the entry to replace when full
};

struct Slot {
  std::vector<PortBindings> inputs, outputs;
  std::vector<OrtValue*> input_values, output_values;
  bool has_run = false;
};

}  // namespace sluice::ort
