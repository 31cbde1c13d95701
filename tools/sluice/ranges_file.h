// The file of `run --collect-ranges` and `quantize --ranges`.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "framework/core/status.h"
#include "inference/value_ranges.h"

namespace sluice::cli {

std::string ranges_json(const std::vector<TensorRange>& ranges);

// What the files say of one model's tensors, merged. `names`: FILE or FILE#MODEL, the latter where a file
// holds several models of the pipeline. kInvalid with the file's name: unreadable, malformed, above 256 MiB,
// or several models and none named.
Result<std::map<std::string, ValueHistogram>> read_ranges(const std::vector<std::string>& names);

}  // namespace sluice::cli
