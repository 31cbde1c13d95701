// Copies of protobuf messages with some of their fields changed.
#pragma once

#include <string>

#include "inference/onnx/wire.h"

namespace sluice::onnx {

// Copies a message; `change` may write another version of a field, or nothing, and return true.
template <typename Change>
std::string rewrite(Bytes message, Change change) {
  Writer writer;
  Reader reader(message);
  for (Field f; reader.next(f);)
    if (!change(f, writer)) writer.raw(f.raw);
  return writer.take();
}

}  // namespace sluice::onnx
