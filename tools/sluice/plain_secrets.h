// Passwords that would travel with a package.
#pragma once

#include <string_view>

#include "framework/spec/spec.h"

namespace sluice::cli {

// A warning for each line of a pipeline file in which a password is written out. One that comes from the
// environment (${NAME}) is none; the default of ${NAME:-default} is.
Issues plain_secrets(std::string_view pipeline);

}  // namespace sluice::cli
