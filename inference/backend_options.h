// The options of each backend, from the declaration of the pipeline file's `backends` section.
#pragma once

#include <string_view>
#include <vector>

#include "framework/node/declaration.h"
#include "framework/node/options.h"

namespace sluice {

// htp, gpu, cpu, fake.
std::vector<std::string> backend_names();
// Empty for an unknown name.
const std::vector<OptionDeclaration>& backend_options(std::string_view backend);
// `written` with the defaults of what it leaves out.
OptionMap with_defaults(std::string_view backend, OptionMap written);
// True for backends whose runs wait for an accelerator (or, fake, for the clock) instead of computing in the
// caller.
bool backend_waits(std::string_view backend);

}  // namespace sluice
