// What a thermal test tested, as hashes: of two tests only those of one pipeline and one profile go together.
#pragma once

#include <string>

#include "framework/spec/spec.h"

namespace sluice {

// SHA-256 of what the file says after ${} expansion; its comments and layout are no part of it, nor is what
// its models' files contain.
std::string spec_sha256(const GraphSpec& spec);

// Of the text of a shipped profile, else of the file; empty: neither is there.
std::string profile_sha256(const std::string& name_or_path);

}  // namespace sluice
