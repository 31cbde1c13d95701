// `--soc NAME` of compile and profile.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "framework/core/status.h"
#include "framework/core/suggest.h"
#include "framework/node/htp_socs.h"

namespace sluice::cli {

// kInvalid with what is allowed.
inline Status check_soc(const std::string& soc) {
  const std::vector<std::string> known = htp_soc_choices();
  if (std::ranges::find(known, soc) != known.end()) return {};
  return invalid(fmt::format("--soc is '{}'{}", soc, allowed(soc, known)));
}

}  // namespace sluice::cli
