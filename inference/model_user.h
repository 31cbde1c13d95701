// What the runtime asks of a node that runs a model, besides its frames: to get ready for another file or
// variant away from them, and to change over between two of them.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "framework/core/status.h"
#include "inference/fixed_choice.h"
#include "inference/selection/run_meter.h"

namespace sluice {

// An open session that is checked against a route of a node. Immutable; every frame that runs on it holds a
// reference, so a replaced one goes when its last frame is done.
struct LoadedModel {
  OpenedModel opened;
  std::vector<std::size_t> edges;  // by input of the model: which edge feeds it
  std::vector<std::size_t> ports;  // by output of the model: which port it leaves by
  int candidate = -1;              // under which its runs are told to the selector; -1: to nobody
};
using LoadedModelPtr = std::shared_ptr<const LoadedModel>;

// Thread-safe, but not for workers: opening a model takes long.
class ModelUser {
 public:
  virtual ~ModelUser() = default;
  // Opens `model` for frames of `route` on the first usable backend; nothing else changes yet. kInvalid: its
  // inputs or outputs are not those that the plan made the route for; kUnavailable: it cannot be used.
  virtual Result<LoadedModelPtr> load(std::size_t route, const ModelRequest& model) = 0;
  // The same on `backend` alone, for a selector to choose from.
  virtual Result<LoadedModelPtr> load_on(std::size_t route, const ModelRequest& model,
                                         const std::string& backend) = 0;
  // Frames of `route` that start here from now on run on it; those that run already end on what they have,
  // and those older than one of them, unless that has failed, do the same.
  virtual void use(std::size_t route, LoadedModelPtr model) = 0;
  // What frames of `route` run on; null: nothing was loaded for it.
  virtual LoadedModelPtr in_use(std::size_t route) const = 0;
  // A decision for the report, which names the backend and variant of `route`.
  virtual void note(std::size_t route, std::string reason) = 0;
  // A selector's decision for the report.
  virtual void note(std::size_t route, Choice choice) = 0;
  // For the report and, under `on_fallback: warn`, the user; once.
  virtual void warn(const std::string& text) = 0;
  // Most frames per second of media time, besides what the node's options say; 0: no limit.
  virtual void limit_rate(double rate_hz) = 0;
  // Where runs are told from the first frame on. `failed` is called, by the worker, after a run that its
  // backend failed. Both outlive the run.
  virtual void tell(RunMeter* meter, std::function<void()> failed) = 0;
};

}  // namespace sluice
