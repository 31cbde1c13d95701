// read_signature: from a checked header to tensor types the plan can work with.
#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "inference/checked_model.h"
#include "inference/onnx/shapes.h"

namespace sluice {
namespace {

std::optional<DType> dtype_of(std::int32_t element) {
  switch (element) {
    case onnx::kFloat:
      return DType::kFloat32;
    case onnx::kUint8:
      return DType::kUint8;
    case onnx::kInt8:
      return DType::kInt8;
    case onnx::kUint16:
      return DType::kUint16;
    case onnx::kInt16:
      return DType::kInt16;
    case onnx::kInt32:
      return DType::kInt32;
    case onnx::kInt64:
      return DType::kInt64;
    case onnx::kBoolean:
      return DType::kBool;
    case onnx::kHalf:
      return DType::kFloat16;
    case onnx::kDouble:
      return DType::kFloat64;
    default:
      return std::nullopt;
  }
}

// The picture layout that a 4-D input's sizes suggest: its channels are the dimension of size 1, 3 or 4.
Layout guess_layout(const Shape& shape) {
  const auto channels = [](std::int64_t size) { return size == 1 || size == 3 || size == 4; };
  if (shape.rank() != 4) return Layout::kNone;
  if (channels(shape[1])) return Layout::kNchw;
  return channels(shape[3]) ? Layout::kNhwc : Layout::kNone;
}

// Fixes symbolic dimensions and remembers which of the request's `dims` were of use.
class Dimensions {
 public:
  explicit Dimensions(const ModelRequest& request) : request_(request) {}

  // Remembers the sizes that the request writes for named dimensions, wherever one is written: 'N', or
  // 'input.0' where that is N. Called for all values before the first is fixed.
  Status learn(const std::vector<onnx::ValueInfo>& values);
  // `followed`: what the operators make of it; null: unknown.
  Result<Shape> fix(const onnx::ValueInfo& value, bool output, const onnx::Dims* followed);
  // What the request fixes, by every name that it has.
  onnx::FixedDims fixed() const;
  bool batch_is_free() const { return values_ > 0 && free_first_ == values_; }
  Status all_used() const;

 private:
  // The size written for this dimension, by its name or as 'value.index'.
  std::optional<std::int64_t> written(const std::string& name, const std::string& place);
  bool is_batch(const std::string& name, std::size_t index, bool output) const;

  const ModelRequest& request_;
  std::map<std::string, std::int64_t> sizes_;  // of named dimensions
  std::set<std::string> used_, symbolic_;
  std::set<std::string> batch_names_;  // of the inputs
  bool batch_is_one_ = false;          // of some input
  int values_ = 0;
  int free_first_ = 0;
};

Status Dimensions::learn(const std::vector<onnx::ValueInfo>& values) {
  for (const onnx::ValueInfo& value : values) {
    for (std::size_t i = 0; i < value.dims.size(); ++i) {
      const std::string name(value.dims[i].name);
      if (value.dims[i].value >= 0 || name.empty()) continue;
      const std::string place = std::string(value.name) + "." + std::to_string(i);
      for (const auto& [key, size] : request_.dims) {
        if (key != place && key != name) continue;
        const auto [known, first] = sizes_.emplace(name, size);
        if (!first && known->second != size)
          return unavailable(fmt::format("dims gives '{}' two sizes, {} and {} ('{}' is '{}')", name,
                                         known->second, size, place, name));
      }
    }
  }
  return {};
}

std::optional<std::int64_t> Dimensions::written(const std::string& name, const std::string& place) {
  std::optional<std::int64_t> found;
  for (const auto& [key, size] : request_.dims) {
    if (key != place && (name.empty() || key != name)) continue;
    used_.insert(key);
    found = size;
  }
  const auto known = sizes_.find(name);
  return found || known == sizes_.end() ? found : known->second;
}

bool Dimensions::is_batch(const std::string& name, std::size_t index, bool output) const {
  if (index != 0) return false;
  if (!output || batch_names_.contains(name)) return true;
  // tf2onnx and onnx.shape_inference call unknown sizes unk__N.
  return batch_is_one_ && (name.empty() || name.starts_with("unk__"));
}

onnx::FixedDims Dimensions::fixed() const {
  onnx::FixedDims out(request_.dims.begin(), request_.dims.end());
  out.insert(out.end(), sizes_.begin(), sizes_.end());
  return out;
}

Result<Shape> Dimensions::fix(const onnx::ValueInfo& value, bool output, const onnx::Dims* followed) {
  ++values_;
  if (followed && followed->size() != value.dims.size()) followed = nullptr;
  std::vector<std::int64_t> sizes;
  for (std::size_t i = 0; i < value.dims.size(); ++i) {
    const onnx::Dim& dim = value.dims[i];
    const std::string name(dim.name);
    const std::string place = std::string(value.name) + "." + std::to_string(i);
    auto size = written(name, place);
    if (dim.value < 0) symbolic_.insert(name.empty() ? place : name);
    if (dim.value >= 0 && size && *size != dim.value)
      return unavailable("dimension " + std::to_string(i) + " of '" + std::string(value.name) + "' is " +
                         std::to_string(dim.value) + " in the file, dims says " + std::to_string(*size));
    // A 1 in front may be the batch.
    if (dim.value < 0 && !size && followed && (i > 0 || (*followed)[i] != 1)) size = (*followed)[i];
    if (dim.value < 0 && !size && !is_batch(name, i, output)) {
      const std::string key = name.empty() ? place : name;
      return unavailable(fmt::format(
          "{} '{}' has the symbolic dimension '{}', which must be fixed; write dims: {{{}: SIZE}} "
          "under the model",
          output ? "output" : "input", value.name, key, key));
    }
    if (dim.value < 0 && !size) {
      ++free_first_;
      if (!output && !name.empty()) batch_names_.insert(name);
    }
    sizes.push_back(dim.value >= 0 ? dim.value : size.value_or(1));
    batch_is_one_ = batch_is_one_ || (!output && i == 0 && sizes.front() == 1);
  }
  SLUICE_ASSIGN(Shape shape, Shape::from(sizes));
  return shape;
}

Status Dimensions::all_used() const {
  for (const auto& [key, size] : request_.dims) {
    if (used_.contains(key) || !request_.variant.empty()) continue;
    std::string names;
    for (const std::string& name : symbolic_) names += (names.empty() ? "" : ", ") + name;
    return unavailable("dims names '" + key +
                       "', the model's symbolic dimensions are: " + (names.empty() ? "none" : names));
  }
  return {};
}

struct SignatureBuilder {
  Dimensions dimensions;
  const std::vector<std::string>& keep_float;
  std::optional<onnx::Shapes> followed = {};  // once an output leaves a size open

  const onnx::Dims* follow(const CheckedModel& model, const onnx::ValueInfo& output) {
    if (std::ranges::none_of(output.dims, [](const onnx::Dim& d) { return d.value < 0; })) return nullptr;
    if (!followed) followed = onnx::shapes_of(model.header, model.file->bytes(), dimensions.fixed());
    const auto found = followed->find(output.name);
    return found == followed->end() ? nullptr : &found->second;
  }

  Result<TensorType> type(const CheckedModel& model, const onnx::ValueInfo& value,
                          const std::optional<onnx::EdgeQuant>& quant, bool output) {
    const std::string what = (output ? "output '" : "input '") + std::string(value.name) + "'";
    const auto dtype = value.is_tensor ? dtype_of(value.element) : std::nullopt;
    if (!dtype)
      return unavailable(
          what + " is no tensor of float32, float16, float64, bool or integers of 8 to 64 bits (ONNX type " +
          std::to_string(value.element) + "), which is all that travels between nodes");
    if (!value.has_shape)
      return unavailable(
          what + " has no shape in the file; add it with onnx.shape_inference.infer_shapes and save again");
    TensorType type{
        .name = std::string(value.name), .dtype = *dtype, .shape = {}, .layout = Layout::kNone, .quant = {}};
    auto shape = dimensions.fix(value, output, output ? follow(model, value) : nullptr);
    if (!shape.ok()) return Status(Code::kUnavailable, shape.status().message());
    type.shape = *shape;
    if (!output) type.layout = guess_layout(type.shape);
    const bool kept =
        value.element == onnx::kFloat && std::ranges::find(keep_float, type.name) != keep_float.end();
    if (quant && !kept) {
      type.dtype = *dtype_of(quant->element);
      type.quant = quant->params;
    }
    const auto bytes = byte_size(type.dtype, type.shape);
    if (!bytes.ok()) return unavailable(what + ": " + bytes.status().message());
    if (*bytes == 0) return unavailable(what + " has a dimension of size 0 (" + type.shape.text() + ")");
    return type;
  }
};

}  // namespace

Result<ModelSignature> read_signature(const ModelRequest& request,
                                      const std::vector<std::string>& keep_float) {
  SLUICE_ASSIGN(const auto model, check_model(request));
  const onnx::ModelHeader& header = model->header;
  SignatureBuilder builder{Dimensions(request), keep_float};
  ModelSignature signature{.name = request.name, .variant = request.variant, .inputs = {}, .outputs = {}};
  const auto add = [&](const auto& values, const auto& quants, bool output,
                       std::vector<TensorType>& types) -> Status {
    for (std::size_t i = 0; i < values.size(); ++i) {
      SLUICE_ASSIGN(TensorType type, builder.type(*model, values[i], quants[i], output));
      types.push_back(std::move(type));
    }
    return {};
  };
  Status status = builder.dimensions.learn(header.inputs);
  if (status.ok()) status = builder.dimensions.learn(header.outputs);
  if (status.ok()) status = add(header.inputs, model->edges.inputs, false, signature.inputs);
  if (status.ok()) status = add(header.outputs, model->edges.outputs, true, signature.outputs);
  if (status.ok()) status = builder.dimensions.all_used();
  if (status.ok() && (signature.inputs.empty() || signature.outputs.empty()))
    status = unavailable(std::string("has no ") + (signature.inputs.empty() ? "inputs" : "outputs"));
  if (!status.ok()) return status.with_context(describe(request) + ": ");
  signature.symbolic_batch = builder.dimensions.batch_is_free();
  return signature;
}

}  // namespace sluice
