// Policy `fixed`: the first usable entry of `backends` with the model's own path (contract section 6).
#pragma once

#include <span>
#include <string>

#include "framework/core/status.h"
#include "inference/services.h"
#include "inference/session_table.h"

namespace sluice {

// What an infer node wants; `request.backend` and `.options` are filled per backend from `options` (backend
// -> its map).
struct ChoiceRequest {
  SessionRequest request;
  std::vector<std::string> backends;
  OptionMap options;
};

// Opens the session and writes decision and warnings into `record`. `on_fallback` error: an entry that is
// unavailable or cannot take every operator is kUnavailable; warn, allow: it is skipped, or its operators go
// to cpu, with a warning. kUnavailable with every reason when no entry is usable; kInvalid as
// SessionTable::open.
Result<SessionHandle> open_first_usable(InferenceServices& services, const ChoiceRequest& choice,
                                        InferenceRecord& record);

}  // namespace sluice
