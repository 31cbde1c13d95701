// Node types that files of version 1 may name and that this version does not have.
#pragma once

#include <string_view>

namespace sluice {

bool is_planned_type(std::string_view type);

}  // namespace sluice
