// What the warm-up measures of sessions, and keeps for the next run on this device. Private to runtime.
#pragma once

#include <string>
#include <string_view>

#include "backends/cache/artifact_cache.h"
#include "inference/selection/measure.h"
#include "inference/services.h"

namespace sluice {

// Kept in the artefact cache (SLUICE_ARTIFACTS), under the model's hash, backend, its version and
// options, performance mode and this machine. What is damaged there is one warning and is measured anew. Not
// thread-safe; `services` outlive it.
class WarmUp {
 public:
  explicit WarmUp(InferenceServices& services)
      : services_(services), cache_(ArtifactCache::default_folder()) {}

  // As measure(). What was kept counts for what takes more than 20 ms, when a few runs of now take as long,
  // within 30 %; what was measured while others took the machine (its median is 30 % above its least) is not
  // kept.
  Result<Measured> times(const SessionHandle& session, std::string_view mode, const MeasureRequest& request);
  // Least signal-to-noise ratio of its outputs, in dB, against `reference`, which has the same inputs and
  // outputs but for their element types. The inputs are noise over the range of the session's quantised
  // input, -1 to 1 where it has none. kFailed, kTimeout: a run; kInvalid: they cannot be compared.
  Result<double> snr_db(const SessionHandle& session, const SessionHandle& reference, TimeNs timeout);

 private:
  Result<ArtifactKey> key_of(std::string_view kind, const SharedSession& session) const;

  InferenceServices& services_;
  ArtifactCache cache_;
};

}  // namespace sluice
