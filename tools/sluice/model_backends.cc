#include "backends/backends.h"
#include "framework/core/clock.h"
#include "inference/backend_options.h"
#include "tools/sluice/fixed_dims.h"
#include "tools/sluice/model_facts.h"

namespace sluice::cli {
namespace {

// The line says already of which backend it is.
std::string without_backend(const std::string& message, const std::string& backend) {
  const std::string owner = "backend '" + backend + "': ";
  return message.starts_with(owner) ? message.substr(owner.size()) : message;
}

BackendFacts ask(Backend& backend, const std::string& path, const onnx::FixedDims& dims) {
  BackendFacts out{std::string(backend.name()), {}, std::nullopt};
  if (const Status status = backend.available(); !status.ok()) {
    out.reason = status.message();
    return out;
  }
  SessionRequest request;
  request.model.name = path;
  request.model.path = path;
  request.model.dims = dims;
  request.backend = out.name;
  request.options = with_defaults(out.name, {});
  request.on_fallback = "allow";
  const auto session = backend.open(request);
  if (session.ok()) {
    out.placement = (*session)->placement();
  } else {
    out.reason = without_backend(with_shape_option(session.status().message()), out.name);
  }
  return out;
}

}  // namespace

std::vector<BackendFacts> ask_backends(const std::string& path, const onnx::FixedDims& dims) {
  std::vector<BackendFacts> out;
  SteadyClock clock;
  for (const auto& backend : make_backends(clock)) {
    if (backend->name() != "fake") out.push_back(ask(*backend, path, dims));
  }
  return out;
}

}  // namespace sluice::cli
