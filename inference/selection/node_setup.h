// What the selector is to know of an infer node before anything runs: its policy and its candidates, from the
// node's options.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "framework/node/options.h"
#include "inference/selector/candidate.h"

namespace sluice {

// The `selector` keys of the node's options (contract section 1). `source_fps` stands in for a target_fps
// that is not written; 0: unknown, as many as there are.
SelectorPolicy selector_policy(const Options& options, double source_fps);

// What can be known of a variant from the file and the models' headers.
struct VariantFacts {
  std::string name;              // empty: the model's own path
  std::optional<double> snr_db;  // against the float model
  bool same_input_size = true;   // as the model's own path
};

// Every backend x variant x performance mode that the options allow, none of them checked or measured yet,
// the most wanted first. Policy fixed keeps the model's own path and one mode, but for what `degrade` names.
std::vector<SelectorCandidate> candidate_set(const Options& options, std::span<const VariantFacts> variants);

// Whose heat the runs of a backend make.
UnitRole unit_of(std::string_view backend);

}  // namespace sluice
