// `cpu`: ONNX Runtime's CPU provider. Runs compute in the calling worker; options `threads`, `cores`,
// `spinning`.
#pragma once

#include <memory>

#include "inference/inference.h"

namespace sluice {

// `threads: auto` is 1: two sessions of one thread beat one session of two on small models, and the worker
// that calls is that thread. Further threads are the session's own; `cores` binds those (the calling worker
// is the scheduler's).
std::unique_ptr<Backend> make_cpu_backend();

}  // namespace sluice
