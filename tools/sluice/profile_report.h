// What `sluice profile` found, and how it is written.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/sluice/layer_times.h"
#include "tools/sluice/profile_run.h"

namespace sluice::cli {

struct BackendProfile {
  std::string backend;
  std::string soc;     // as which chip, when that was asked for
  std::string reason;  // why it cannot take the model; empty: it can
  std::optional<RunFigures> figures;
  std::vector<LayerTime> layers;  // longest first
  std::string layers_reason;      // why there are none
};

struct ModelProfile {
  std::string model;
  std::string scenario;     // empty: a quick look
  double wanted_s = 0;      // how long each backend ran at least
  bool shortened = false;   // less than the scenario's minute
  std::size_t samples = 0;  // 0: made-up numbers
  std::vector<BackendProfile> backends;
};

std::string profile_text(const ModelProfile& profile);
std::string profile_json(const ModelProfile& profile);

}  // namespace sluice::cli
