// YAML -> DeviceProfile, strictly: every mistake with its line and column, all at once.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/status.h"
#include "framework/spec/spec.h"
#include "simulation/profile.h"

namespace sluice {

struct ParsedProfile {
  std::string file;
  std::optional<DeviceProfile> profile;  // none when there are errors
  Issues issues;
  // kInvalid with one line per error, "FILE:LINE:COLUMN: error: ..."; ok without.
  Status status() const;
};

ParsedProfile parse_profile(std::string_view text, std::string file);

// The names of the shipped profiles, in order.
std::vector<std::string> shipped_profiles();
// YAML of a shipped one; empty for an unknown name.
std::string_view shipped_profile(std::string_view name);

// A shipped profile by name, else a path. kInvalid: no such profile (with what there is), or errors in it.
Result<DeviceProfile> load_profile(const std::string& name_or_path);

}  // namespace sluice
