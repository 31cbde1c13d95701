// Operators that QNN's provider must not take: nothing of ONNX Runtime's keeps a single one from it, so each
// moves into a branch that is always taken. The provider takes only branches of which it has all operators.
#pragma once

#include <string>

#include "inference/onnx/wire.h"

namespace sluice::htp {

// How many operators ONNX Runtime counts for one that is kept away.
constexpr int kCountedOperators = 8;

// Sequences are not older.
constexpr int kLeastOpset = 11;

// Fields of a GraphProto: an If with the NodeProto `node` in both branches, and what decides it. `node` has a
// first input.
std::string kept_away(onnx::Bytes node);

}  // namespace sluice::htp
