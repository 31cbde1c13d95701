// The sections `selector`, `backends` and `device` of the pipeline file, declared like a node's options
// (contract section 1): the plan checks them, the schema and the infer node take them from here.
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "framework/node/declaration.h"

namespace sluice {

// Every default is the contract's; what has none ("the source's rate", "none") is null.
const std::deque<OptionDeclaration>& selector_section();
// One map per backend: htp, gpu, cpu, fake.
const std::deque<OptionDeclaration>& backends_section();
const std::deque<OptionDeclaration>& device_section();

// Of `profile` in `device`: a path. A shipped profile has a plain name.
bool is_profile_path(std::string_view profile);

// For a key of these sections that people know from elsewhere ("htp.soc_model"): what to write instead, or
// why it cannot be had. Empty for any other.
std::string why_not_taken(std::string_view key);

}  // namespace sluice
