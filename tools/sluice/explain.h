// What `sluice explain` says of a report.
#pragma once

#include <string>
#include <string_view>

#include "framework/core/status.h"

namespace sluice::cli {

// Words for a JSON document of `run --report` or `thermal --json`: one paragraph per infer node, one entry
// per decision. kInvalid: it is neither.
Result<std::string> explain(std::string_view report);

}  // namespace sluice::cli
