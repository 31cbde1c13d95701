// What QNN's provider (2.51 and before) computes wrongly or dies of, and for which no other words are known
// (repairs.h): found in the model before the provider sees it.
#pragma once

#include "framework/core/status.h"
#include "inference/checked_model.h"
#include "inference/onnx/shapes.h"

namespace sluice::htp {

// kUnavailable, with the operator's name and what to do. `dims` as in a model's request.
Status check_computable(const CheckedModel& model, const onnx::FixedDims& dims);

}  // namespace sluice::htp
