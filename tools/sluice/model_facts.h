// What a model file says of itself, and which backend would take which of its operators: for `sluice
// inspect`.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "framework/core/status.h"
#include "inference/checked_model.h"
#include "inference/inference.h"
#include "inference/onnx/shapes.h"
#include "tools/sluice/model_encodings.h"

namespace sluice::cli {

struct TensorFacts {
  std::string name;
  bool has_shape = true;           // the file says one
  std::string dtype;               // as it is stored at the edge: integer for a quantised one
  std::vector<std::string> shape;  // a number, or a symbolic dimension's name ("?" without one)
  std::vector<float> scale;        // of a quantised edge: one, or one per index of `axis`
  std::vector<std::int32_t> zero_point;
  int axis = -1;
};

struct BackendFacts {
  std::string name;
  std::string reason;  // why it cannot take the model; empty: it can
  std::optional<Placement> placement;
};

struct ModelFacts {
  std::string path;
  std::string producer;
  std::int64_t bytes = 0;  // of the file, without external data
  std::map<std::string, std::int64_t> opsets;
  std::vector<TensorFacts> inputs, outputs;
  std::map<std::string, int> operators;  // by type
  std::int64_t parameters = 0;
  std::map<std::string, std::int64_t> parameters_by_type;  // "int8", ...
  std::vector<TensorEncoding> encodings;                   // of a quantised model
  // Multiply-accumulates of convolutions and matrix products for one run; none when the file lacks a shape
  // for one of them (counted in `without_shape`), a dimension is symbolic, or operators of other types
  // multiply too (`uncounted`).
  std::optional<std::int64_t> macs;
  int without_shape = 0;
  std::set<std::string> uncounted;
  std::vector<BackendFacts> backends;
};

// `dims` fixes symbolic dimensions, by name or as 'input.0'; without it they keep their names.
ModelFacts facts_of(const CheckedModel& model, const onnx::FixedDims& dims = {});

// Opens the model on every backend but `fake`. Symbolic dimensions other than the batch, and those that
// `dims` fixes, leave a reason.
std::vector<BackendFacts> ask_backends(const std::string& path, const onnx::FixedDims& dims = {});

std::string facts_text(const ModelFacts& facts);
std::string facts_json(const ModelFacts& facts);

}  // namespace sluice::cli
