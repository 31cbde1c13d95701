// The ONNX project's own operator tests (node tests): a model of one operator, inputs, and what must come
// out.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "tests/backends/gpu/runner.h"

namespace sluice::testing {

struct OnnxCase {
  std::string name;   // of its folder, without "test_"
  std::string model;  // bytes
  std::set<std::string> operators;
  std::vector<HostTensor> inputs, outputs;
};

// Every case whose operators are all among `operators`, whose first input and outputs are tensors of the
// types the backend stores (float32, or what QuantizeLinear, DequantizeLinear and Cast make of it), and whose
// shapes are fixed.
std::vector<OnnxCase> read_cases(const std::string& folder, const std::set<std::string>& operators);

// The same with every input but the first as a constant of the model, as models have weights and shapes.
OnnxCase with_constants(const OnnxCase& test);

}  // namespace sluice::testing
