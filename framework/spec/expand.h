// ${NAME} and ${NAME:-default} in scalars.
#pragma once

#include <string>
#include <string_view>

#include "framework/core/status.h"
#include "framework/spec/spec.h"

namespace sluice {

// `$$` gives a dollar sign; a `$` before anything else stays. The default also stands for a variable that is
// set but empty, as in the shell; it reaches to the next '}' and expands nothing itself. kInvalid: an unset
// name without default, a name that is none, no closing brace, a value that is no UTF-8 or holds control
// characters.
Result<std::string> expand(std::string_view text, Environment environment);

}  // namespace sluice
