// A graph's inputs in the words of samples.h.
#pragma once

#include <cstdint>
#include <vector>

#include "framework/core/status.h"
#include "quantize/onnx_proto.h"
#include "quantize/samples.h"

namespace sluice::quantize {

// Without weights that stand among the inputs. kUnavailable: an element type that no array has, or a size
// that is not fixed.
Result<std::vector<InputInfo>> inputs_of(const pb::GraphProto& graph);

// The element type that a file has for it.
std::int32_t element_of(DType dtype);

}  // namespace sluice::quantize
