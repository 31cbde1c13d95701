// Cutting a pipeline file to the part that leads to one of its nodes: for commands that feed it and read it
// themselves.
#pragma once

#include <string>

#include "framework/core/status.h"
#include "framework/node/registry.h"
#include "framework/spec/spec.h"

namespace sluice::cli {

// Keeps what leads to `node`, replaces its one source by pictures or a video, ends it in an app_sink named
// `sink` and loses no frame (lossless). `command` appears in messages. kInvalid: not exactly one source, or a
// node of that name.
Result<GraphSpec> cut_graph(const GraphSpec& spec, const Registry& registry, const std::string& node,
                            const NodeSpec& source, const std::string& sink, const std::string& command);

NodeSpec picture_source(const std::string& path);  // a file or a folder
NodeSpec video_source(const std::string& path);

}  // namespace sluice::cli
