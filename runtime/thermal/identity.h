// What a thermal test tested, as hashes: of two tests only those of one pipeline, the same models
// and one profile go together.
#pragma once

#include <string>

#include "framework/plan/plan.h"
#include "framework/spec/spec.h"

namespace sluice {

// SHA-256 of what the file says after ${} expansion; its comments and layout are no part of it, nor is what
// its models' files contain.
std::string spec_sha256(const GraphSpec& spec);

// SHA-256 over the contents of the files of all its models and variants; empty: it has none, or one cannot be
// read.
std::string models_sha256(const Plan& plan);

// Of the text of a shipped profile, else of the file; empty: neither is there.
std::string profile_sha256(const std::string& name_or_path);

}  // namespace sluice
