#include "inference/onnx/shapes.h"

#include <algorithm>
#include <string>

#include "inference/onnx/shape_parts.h"

namespace sluice::onnx {
namespace {

class Walk {
 public:
  Walk(const ModelHeader& header, const FixedDims& dims);
  void follow(const Operator& op, Bytes message);
  Shapes take();

 private:
  // What is written of a value; its first dimension, when nobody fixed it, is a batch of `batch` (0:
  // unknown).
  static std::optional<Dims> written(const ValueInfo& info, const FixedDims& dims, std::int64_t batch);

  Shapes shapes_;
  Shapes assumed_;  // where no rule says more
  std::map<Bytes, Numbers> numbers_;
  std::map<Bytes, Dims> weights_;
};

std::optional<std::int64_t> fixed(const FixedDims& dims, const std::string& name, const std::string& place) {
  for (const auto& [key, size] : dims)
    if (key == place || (!name.empty() && key == name)) return size;
  return std::nullopt;
}

std::optional<Dims> Walk::written(const ValueInfo& info, const FixedDims& dims, std::int64_t batch) {
  if (!info.has_shape) return std::nullopt;
  Dims out;
  for (const Dim& dim : info.dims) {
    const std::string place = std::string(info.name) + "." + std::to_string(out.size());
    const std::int64_t otherwise = out.empty() ? batch : 0;
    out.push_back(dim.value >= 0 ? dim.value : fixed(dims, std::string(dim.name), place).value_or(otherwise));
  }
  return sane(out) && std::ranges::find(out, 0) == out.end() ? std::optional(out) : std::nullopt;
}

Walk::Walk(const ModelHeader& header, const FixedDims& dims) {
  std::int64_t batch = 0;  // of another one than 1, the sizes behind it are nobody's guess
  for (const ValueInfo& info : header.inputs) {
    auto shape = written(info, dims, 1);
    if (shape && !shape->empty() && shape->front() == 1) batch = 1;
    if (shape) shapes_[info.name] = std::move(*shape);
  }
  for (const auto* list : {&header.values, &header.outputs}) {
    for (const ValueInfo& info : *list) {
      if (auto shape = written(info, dims, 0)) {
        shapes_[info.name] = std::move(*shape);
      } else if (auto with_batch = written(info, dims, batch)) {
        assumed_[info.name] = std::move(*with_batch);
      }
    }
  }
  for (const Initializer& weights : header.initializers) {
    if (weights.message.empty()) continue;
    if (Dims of_weights = tensor_dims(weights.message); sane(of_weights))
      weights_[weights.name] = std::move(of_weights);
    if (auto few = tensor_numbers(weights.message)) numbers_[weights.name] = std::move(*few);
  }
}

void Walk::follow(const Operator& op, Bytes message) {
  Call call{op, Attributes(message), {}, {}};
  for (const Bytes input : op.inputs) {
    const auto known = shapes_.find(input);
    const auto weights = weights_.find(input);
    const Dims* const stored = weights != weights_.end() ? &weights->second : nullptr;
    call.shapes.push_back(known != shapes_.end() ? &known->second : stored);
    const auto few = numbers_.find(input);
    call.numbers.push_back(few != numbers_.end() ? &few->second : nullptr);
  }
  const std::vector<Dims> found = output_shapes(call);
  auto few = output_numbers(call);
  for (std::size_t i = 0; i < std::min(found.size(), op.outputs.size()); ++i)
    shapes_.try_emplace(op.outputs[i], found[i]);
  for (const Bytes output : op.outputs)
    if (const auto guess = assumed_.find(output); guess != assumed_.end()) shapes_.insert(*guess);
  // A few operators that join or repeat could make any number of them.
  if (few && few->size() <= kMostElements && !op.outputs.empty()) numbers_[op.outputs[0]] = std::move(*few);
}

Shapes Walk::take() {
  // Of tensors without elements nothing follows that anybody counts.
  std::erase_if(shapes_, [](const auto& entry) {
    return std::any_of(entry.second.begin(), entry.second.end(), [](std::int64_t d) { return d < 1; });
  });
  return std::move(shapes_);
}

}  // namespace

Shapes shapes_of(const ModelHeader& header, Bytes file, const FixedDims& dims) {
  Walk walk(header, dims);
  const std::vector<Bytes> messages = node_messages(file);
  const bool same = messages.size() == header.operators.size();
  for (std::size_t i = 0; same && i < messages.size(); ++i) walk.follow(header.operators[i], messages[i]);
  return walk.take();
}

}  // namespace sluice::onnx
