// Loads the parts of the library that bring large libraries with them only when a pipeline needs them.
#pragma once

#include <memory>
#include <string_view>

#include "framework/core/status.h"
#include "framework/node/node.h"

namespace sluice {

// What `symbol` (extern "C") of `lib/sluice/sluice_<module>.so`, which lies beside libsluice, points to. The
// module stays loaded until the process ends. kUnavailable, with the path and the loader's words, when it
// cannot be had. Any thread.
Result<void*> module_symbol(std::string_view module, const char* symbol);

// A new node from `lib/sluice/sluice_<module>.so`, which lies beside libsluice; `factory` is the name of an
// extern "C" function `sluice::Node* factory()` in it. The module stays loaded until the process ends (its
// threads and its libraries' state outlive a pipeline). kUnavailable, with the path and the loader's words,
// when it cannot be had. Any thread.
Result<std::unique_ptr<Node>> create_from_module(std::string_view module, const char* factory);

}  // namespace sluice
