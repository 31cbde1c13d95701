// `gpu`: OpenCL, through our own execution provider (backends/gpu/README.md).
#pragma once

#include <memory>

#include "inference/inference.h"

namespace sluice {

// Loads nothing until available() or open() is asked. The provider lies in a module beside the library, which
// loads libOpenCL: a program that does not use `gpu` has neither.
std::unique_ptr<Backend> make_gpu_backend();

}  // namespace sluice
