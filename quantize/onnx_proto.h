// The one way to include the onnx library's messages.
#pragma once

#include <onnx/onnx_pb.h>

namespace sluice::quantize {
namespace pb = ::onnx;
}  // namespace sluice::quantize
