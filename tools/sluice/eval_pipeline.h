// Turns a pipeline file into the one that `sluice eval` runs: pictures instead of its source, an
// application's end instead of its sinks.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "framework/core/status.h"
#include "framework/node/registry.h"
#include "framework/spec/spec.h"

namespace sluice::cli {

constexpr const char* kEvalSink = "eval_sink";

// Keeps what leads to the one node that makes detections (`classes`: classes), replaces its source by an
// image_source of `pictures` (a folder), ends it in an app_sink named kEvalSink and loses no frame
// (lossless). kInvalid: not exactly one such node or source, or a node of that name.
Result<GraphSpec> make_eval_pipeline(const GraphSpec& spec, const Registry& registry, bool classes,
                                     const std::string& pictures);

using Settings = std::vector<std::pair<std::string, std::string>>;  // node.option, value

// What of `--set` reaches the nodes that eval keeps of `whole`; of the others, which do not run, a line in
// `notes` each. kInvalid: an option of the source, which the labelled pictures replace.
Result<Settings> settings_for_eval(const Settings& set, const GraphSpec& whole, const GraphSpec& kept,
                                   std::vector<std::string>& notes);

}  // namespace sluice::cli
