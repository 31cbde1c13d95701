// From preprocess's options and its model to the tensor it makes.
#pragma once

#include "framework/core/status.h"
#include "framework/core/tensor.h"
#include "framework/node/declaration.h"
#include "framework/node/options.h"
#include "nodes/pixels/scaler.h"

namespace sluice {

// What is wrong with the options whatever model there is: neither it nor a size, values of mean and std.
void check_preprocess_options(const Options& options, const RefuseOption& refuse);

// The type of the output: that of the model's picture input (the batch dimension as 1), or width, height,
// layout and dtype as written. kInvalid where the options contradict the model or each other, kUnavailable
// where the model has no input that a picture fits.
Result<TensorType> preprocess_type(const TypeContext& context);

// What the pixel engine needs to write `type`. kInvalid where colour, mean, std or quantisation do not fit
// it.
Result<pixels::Target> preprocess_target(const Options& options, const TensorType& type);

}  // namespace sluice
