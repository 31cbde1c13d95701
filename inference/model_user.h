// What the runtime asks of a node that runs a model, besides its frames: to get ready for another file or
// variant away from them, and to change over between two of them.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "framework/core/status.h"
#include "inference/fixed_choice.h"

namespace sluice {

// An open session that is checked against a route of a node. Immutable; every frame that runs on it holds a
// reference, so a replaced one goes when its last frame is done.
struct LoadedModel {
  OpenedModel opened;
  std::vector<std::size_t> edges;  // by input of the model: which edge feeds it
  std::vector<std::size_t> ports;  // by output of the model: which port it leaves by
  bool quantised_inputs = false;
};
using LoadedModelPtr = std::shared_ptr<const LoadedModel>;

// Thread-safe, but not for workers: opening a model takes long.
class ModelUser {
 public:
  virtual ~ModelUser() = default;
  // Opens `model` for frames of `route` on the first usable backend; nothing else changes yet. kInvalid: its
  // inputs or outputs are not those that the plan made the route for; kUnavailable: it cannot be used.
  virtual Result<LoadedModelPtr> load(std::size_t route, const ModelRequest& model) = 0;
  // Frames of `route` that start here from now on run on it; those that run already end on what they have.
  virtual void use(std::size_t route, LoadedModelPtr model) = 0;
  // What frames of `route` run on; null: nothing was loaded for it.
  virtual LoadedModelPtr in_use(std::size_t route) const = 0;
  // A decision for the report, which names the backend and variant of `route`.
  virtual void note(std::size_t route, std::string reason) = 0;
};

}  // namespace sluice
