// A model file that was checked from its header alone: what the plan types its graph with and what sessions
// are made of.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "framework/core/status.h"
#include "inference/inference.h"
#include "inference/model_file.h"
#include "inference/onnx/model_header.h"
#include "inference/onnx/quantised_edges.h"

namespace sluice {

// What ONNX Runtime 1.29 takes.
constexpr std::int64_t kMinOpset = 7;
constexpr std::int64_t kMaxOpset = 26;
constexpr std::int64_t kMaxIrVersion = 13;

// The file, its header and its quantised edges; immutable, any thread.
struct CheckedModel {
  std::shared_ptr<const ModelFile> file;
  std::shared_ptr<const ModelFile> wrapped;  // what `file` was made around (model_formats.h); null: nothing
  onnx::ModelHeader header;                  // views into the file
  onnx::QuantisedEdges edges;
};

// Opens and checks; kUnavailable (exit 3) with a message that names the model, the value and what to do:
// missing, empty, cut short, not ONNX, too large, opset, external data that escapes, another hash than
// `request.sha256`. Results are kept by path, time and size of the file, so asking again costs one stat.
Result<std::shared_ptr<const CheckedModel>> check_model(const ModelRequest& request);

// The model's inputs and outputs with all dimensions fixed: by `request.dims`, a free batch (the first
// dimension) by 1 (`symbolic_batch` says so), and those of outputs by what the operators make of the inputs',
// where they are known. Quantised edges have their integer type and `quant`; those named in `keep_float` stay
// float32.
// kUnavailable as above and for dynamic shapes, saying which `dims` to write.
Result<ModelSignature> read_signature(const ModelRequest& request,
                                      const std::vector<std::string>& keep_float = {});

// Some operator computes with integers, or the model is compiled: its precision is its own.
bool is_quantised(const onnx::ModelHeader& header);

// SHA-256 of the file as 64 hexadecimal digits; kept like the header.
Result<std::string> hash_of(const ModelRequest& request);

// "model 'face', variant 'w8a16'".
std::string describe(const ModelRequest& request);

}  // namespace sluice
