// Opens a model on the NPU: from the artefact cache, or compiled and kept there; whole, or split with the CPU
// where that is allowed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "backends/cache/artifact_cache.h"
#include "backends/htp/htp_options.h"
#include "backends/htp/provider.h"
#include "backends/htp/unfit.h"
#include "backends/ort/session.h"
#include "inference/checked_model.h"

namespace sluice::htp {

struct Opened {
  std::unique_ptr<ort::OrtSession> session;
  Placement placement;
  std::string compiled;  // the compiled model when it was asked for
};

// One model's; may be asked again after the device was reset. One thread at a time.
class Opener {
 public:
  // `memory`: what its sessions read and write in place; null: they copy.
  Opener(std::shared_ptr<Provider> provider, std::shared_ptr<const CheckedModel> model,
         SessionRequest request, HtpOptions options, std::shared_ptr<ArtifactCache> cache,
         std::shared_ptr<const ort::SharedMemory> memory);

  // kUnavailable in the provider's own words: it cannot take every operator and `on_fallback` is error, takes
  // none, or failed.
  Result<Opened> open();
  // As `open`, always compiled anew, with the compiled model in `compiled`.
  Result<Opened> compile();

 private:
  enum class Share : std::uint8_t { kWhole, kSplit };  // all operators, or what the provider takes
  struct Attempt;

  Result<Opened> open_with_fallback(bool fresh);
  Result<Opened> open_without_unfit(bool fresh);
  Result<Opened> open_split(bool fresh, const std::string& why);
  void count_kept_away(Placement& placement) const;
  bool can_keep(Share share) const;
  Result<Opened> try_open(Share share, bool fresh);
  Result<Opened> load(Attempt& attempt);
  Result<Opened> open_unkept(Share share, bool wanted, const Status& why);
  Result<Opened> open_again(const Opened& compiled);
  void configure(Ort::SessionOptions& session, Attempt& attempt) const;
  static void ask_for_context(Ort::SessionOptions& session, Attempt& attempt);
  void fix_dimensions(Ort::SessionOptions& session) const;
  ArtifactKey key_of(std::string_view model, Share share) const;

  const std::shared_ptr<Provider> provider_;
  const std::shared_ptr<const CheckedModel> model_;
  const SessionRequest request_;
  const HtpOptions options_;
  const std::shared_ptr<ArtifactCache> cache_;
  const std::shared_ptr<const ort::SharedMemory> memory_;
  const bool compiled_;  // the model is one already
  const Unfit unfit_;    // its operators that the provider must not take
};

}  // namespace sluice::htp
