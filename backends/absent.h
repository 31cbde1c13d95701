// A backend that this build knows by name and does not contain.
#pragma once

#include <memory>
#include <string>

#include "inference/inference.h"

namespace sluice {

// `missing` completes "backend 'htp' is not available: "; it says exactly what is not there.
std::unique_ptr<Backend> make_absent_backend(std::string name, std::string missing);

}  // namespace sluice
