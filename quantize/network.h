// A model as `sluice compare` looks at it: any of its tensors may become an output.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "framework/core/status.h"
#include "quantize/input_shape.h"
#include "quantize/samples.h"

namespace sluice::quantize {

// One layer's result. Integers count as what they stand for: where the tensor is quantised, `tensor` is what
// DequantizeLinear makes of it.
struct LayerResult {
  std::string name;    // of the tensor in the float network
  std::string tensor;  // float32, in this file
  std::string type;    // of the operator that makes it
  bool equalised;      // holds other numbers than the float network's (see equalize.h)
};

// Immutable; any thread.
class Network {
 public:
  virtual ~Network() = default;
  // Float32, fixed shape, whatever the edges' element type is.
  virtual const std::vector<InputInfo>& inputs() const = 0;
  virtual const std::vector<std::string>& outputs() const = 0;
  // Its sizes; empty where they do not follow from the inputs'.
  virtual std::vector<std::int64_t> output_shape(const std::string& output) const = 0;
  // In the order in which they are computed; without the graph's outputs.
  virtual const std::vector<LayerResult>& layers() const = 0;
  // An entry of the model's metadata; empty when it is not there.
  virtual std::string note(const std::string& key) const = 0;
  // The model's bytes, with these tensors as further outputs.
  virtual std::string with_outputs(std::span<const std::string> tensors) const = 0;
};

// Reads a model, quantised or not, and fixes its shapes. kInvalid, kUnavailable: as load_model and prepare.
Result<std::unique_ptr<Network>> open_network(const std::string& path, const std::vector<InputShape>& shapes);

// A model with these inputs that does nothing: what a preprocess takes its type from.
std::string shell_model(const std::vector<InputInfo>& inputs);

}  // namespace sluice::quantize
