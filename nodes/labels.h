// Class names: the option `labels` of detect and classify.
#pragma once

#include <string>
#include <vector>

#include "framework/core/status.h"
#include "framework/node/declaration.h"
#include "framework/node/options.h"

namespace sluice {

// Declares `labels`: a list of names, or the path of a text file with one per line, which the node's
// check_options reads.
OptionDeclaration& declare_labels(NodeDeclaration& node);

// The names that `labels` gives, in order; empty when it is not written. Reads the file (kInvalid when it
// cannot be read, holds more than 1 MiB, no names, or text that is not UTF-8).
Result<std::vector<std::string>> read_labels(const Options& options);

}  // namespace sluice
