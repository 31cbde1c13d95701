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

// A session with the decision that led to it.
struct OpenedModel {
  SessionHandle session;
  Choice choice;
  Placement placement;
};

// Opens the session and writes warnings into `record`; the decision is the caller's to record, once it is in
// use. `on_fallback` error: an entry that is
// unavailable or cannot take every operator is kUnavailable; warn, allow: it is skipped, or its operators go
// to cpu, with a warning. kUnavailable with every reason when no entry is usable; kInvalid as
// SessionTable::open.
Result<OpenedModel> open_first_usable(InferenceServices& services, const ChoiceRequest& choice,
                                      InferenceRecord& record);
// The same on one backend, for a selector to choose from. kUnavailable: it cannot be used there; said once as
// `on_fallback` wants it.
Result<OpenedModel> open_on(InferenceServices& services, const ChoiceRequest& choice,
                            const std::string& backend, InferenceRecord& record);

// The same for the backends after `failed_backend`, whose session said kUnavailable (`why`) in a run: it will
// not come back. `why` itself when on_fallback is `error` or it was the last.
Result<OpenedModel> open_next_usable(InferenceServices& services, const ChoiceRequest& choice,
                                     const std::string& failed_backend, const Status& why,
                                     InferenceRecord& record);

}  // namespace sluice
