// Arrays saved by numpy.savez (a zip of .npy files) as samples.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "framework/core/status.h"
#include "quantize/samples.h"

namespace sluice::quantize {

// One array per input, named like it (a single array fits a single input whatever its name). Its shape is the
// input's with the samples along the first dimension, or with one dimension of samples in front. Read row by
// row, so that memory does not depend on how many there are. float64 is taken for float32; otherwise the type
// must be the input's. kInvalid: no npz, an array that is missing, unknown, of another type or shape; arrays
// of different lengths; Fortran order. Format: NumPy's "NEP 1, a simple file format for NumPy arrays",
// versions 1 to 3.
Result<std::unique_ptr<Samples>> open_npz(const std::string& path, const std::vector<InputInfo>& inputs);

}  // namespace sluice::quantize
