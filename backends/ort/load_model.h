// Loading a model into an ONNX Runtime session, around what its versions cannot load.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "backends/ort/api.h"

namespace sluice::ort {

// With session.x64quantprecision, ONNX Runtime 1.29 fails on int8 weights that several layers share (it makes
// an unsigned copy for each, all of one name). Such a model is computed as it is written, in float between
// its integers: the same results, without integer kernels. `note` says so then. Throws what ONNX Runtime
// throws.
inline Ort::Session load_model(const Ort::Env& env, std::string_view model, Ort::SessionOptions& options,
                               std::optional<std::string>& note) {
  constexpr std::string_view kSharedWeights = "Attempt to replace the existing tensor";
  try {
    return Ort::Session(env, model.data(), model.size(), options);
  } catch (const Ort::Exception& error) {
    if (std::string_view(error.what()).find(kSharedWeights) == std::string_view::npos) throw;
  }
  note =
      "layers share int8 weights, which this ONNX Runtime cannot compute in integers here: they run in float";
  options.AddConfigEntry("session.disable_quant_qdq", "1");
  return Ort::Session(env, model.data(), model.size(), options);
}

}  // namespace sluice::ort
