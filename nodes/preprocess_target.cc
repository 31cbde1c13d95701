#include "nodes/preprocess_target.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace sluice {
namespace {

bool is_picture_channels(std::int64_t size) { return size == 1 || size == 3; }

// A picture's layout by where its channels are; kNone: no picture.
Layout picture_layout(const Shape& shape) {
  if (shape.rank() != 4) return Layout::kNone;
  if (is_picture_channels(shape[1])) return Layout::kNchw;
  return is_picture_channels(shape[3]) ? Layout::kNhwc : Layout::kNone;
}

Result<TensorType> picture_input(const ModelSignature& model) {
  std::vector<const TensorType*> pictures;
  std::string all;
  for (const TensorType& input : model.inputs) {
    if (picture_layout(input.shape) != Layout::kNone) pictures.push_back(&input);
    all += fmt::format("{}'{}' {}", all.empty() ? "" : ", ", input.name, input.text());
  }
  if (pictures.size() == 1) return *pictures.front();
  return unavailable(
      fmt::format("model '{}' has {} inputs that take a picture (Nx3xHxW, NxHxWx3, or 1 channel): it has {}; "
                  "write width, height, layout and dtype instead of model",
                  model.name, pictures.empty() ? "no" : "several", all));
}

// Integers that are no pixels' own: the plan rounds behind preprocess.
bool is_wide(const TensorType& type) {
  return !type.quant && (type.dtype == DType::kInt32 || type.dtype == DType::kInt64);
}

Status check_model_type(const TensorType& type, std::string_view model) {
  const Shape& s = type.shape;
  if (s[0] != Shape::kSymbolic && s[0] != 1) {
    return unavailable(
        fmt::format("model '{}' takes batches of exactly {} pictures ('{}' {}); export it with batch 1 or "
                    "a symbolic first dimension",
                    model, s[0], type.name, s.text()));
  }
  for (std::size_t i = 1; i < s.rank(); ++i) {
    if (s[i] > 0) continue;
    return unavailable(fmt::format(
        "the size of input '{}' of model '{}' is open ({}); fix it with the model's dims, such as "
        "dims: {{'{}.{}': 256}}",
        type.name, model, s.text(), type.name, i));
  }
  if (pixels::is_writable(type.dtype) || is_wide(type)) return {};
  return unavailable(
      fmt::format("input '{}' of model '{}' is {}, allowed: float32, float16, uint8, int8, uint16, int16, "
                  "int32, int64; export the model with one of them",
                  type.name, model, name_of(type.dtype)));
}

// An option that is written although the model says it, and says otherwise.
template <typename T>
Status contradiction(std::string_view option, const T& written, const T& has, std::string_view model) {
  if (written == has) return {};
  return invalid(fmt::format("option '{}' is {}, but the input of model '{}' has {}; leave it out", option,
                             written, model, has));
}

Status check_written(const Options& options, const TensorType& type) {
  const std::string& model = options.text("model");
  const bool planar = type.layout == Layout::kNchw;
  const std::int64_t height = type.shape[planar ? 2 : 1];
  const std::int64_t width = type.shape[planar ? 3 : 2];
  if (options.has("width"))
    SLUICE_RETURN_IF_ERROR(contradiction("width", options.integer("width"), width, model));
  if (options.has("height"))
    SLUICE_RETURN_IF_ERROR(contradiction("height", options.integer("height"), height, model));
  if (options.has("layout")) {
    SLUICE_RETURN_IF_ERROR(
        contradiction<std::string_view>("layout", options.text("layout"), name_of(type.layout), model));
  }
  if (!options.has("dtype")) return {};
  return contradiction<std::string_view>("dtype", options.text("dtype"), name_of(type.dtype), model);
}

Result<TensorType> type_of_model(const TypeContext& context) {
  SLUICE_ASSIGN(const ModelSignature model, context.model("model"));
  SLUICE_ASSIGN(TensorType type, picture_input(model));
  SLUICE_RETURN_IF_ERROR(check_model_type(type, model.name));
  type.layout = picture_layout(type.shape);
  type.shape[0] = 1;
  const int channels = type.layout == Layout::kNchw ? 1 : 3;
  // Scales along another dimension than the channels are no part of the one pass: the plan quantises behind
  // it.
  if (type.quant && !type.quant->per_tensor() && type.quant->axis != channels) {
    type.dtype = DType::kFloat32;
    type.quant.reset();
  }
  SLUICE_RETURN_IF_ERROR(check_written(context.options(), type));
  if (is_wide(type)) type.dtype = DType::kFloat32;
  return type;
}

// With width and height (check_preprocess_options).
TensorType type_of_options(const Options& options) {
  TensorType type;
  if (options.has("layout")) type.layout = *parse_layout(options.text("layout"));
  if (type.layout == Layout::kNone) type.layout = Layout::kNchw;
  if (options.has("dtype")) type.dtype = *parse_dtype(options.text("dtype"));
  const std::int64_t channels = options.text("color") == "gray" ? 1 : 3;
  const std::int64_t width = options.integer("width");
  const std::int64_t height = options.integer("height");
  type.shape =
      type.layout == Layout::kNchw ? Shape{1, channels, height, width} : Shape{1, height, width, channels};
  return type;
}

Status check_count(const std::vector<double>& values, std::string_view option, int channels) {
  if (values.size() == 1 || values.size() == static_cast<std::size_t>(channels)) return {};
  return invalid(fmt::format("option '{}' has {} values, allowed: 1, or {} (one per channel)", option,
                             values.size(), channels));
}

Status per_channel(const Options& options, std::string_view option, int channels,
                   std::array<double, 3>& out) {
  const std::vector<double> values = options.numbers(option);
  SLUICE_RETURN_IF_ERROR(check_count(values, option, channels));
  for (std::size_t c = 0; c < out.size(); ++c) out[c] = c < values.size() ? values[c] : values.front();
  return {};
}

// std divides; mean may be anything finite.
Status check_normalisation(const Options& options, std::string_view option, double least) {
  const std::vector<double> values = options.numbers(option);
  if (options.has("color")) {
    const int channels = options.text("color") == "gray" ? 1 : 3;
    SLUICE_RETURN_IF_ERROR(check_count(values, option, channels));
  }
  for (const double value : values) {
    if (value > least && std::isfinite(value)) continue;
    return invalid(fmt::format("option '{}' is {}, allowed: finite numbers{}", option, value,
                               option == "std" ? " above 0" : ""));
  }
  return {};
}

pixels::Fit fit_of(const std::string& text) {
  if (text == "letterbox") return pixels::Fit::kLetterbox;
  return text == "crop" ? pixels::Fit::kCrop : pixels::Fit::kStretch;
}

pixels::Color color_of(const std::string& text) {
  if (text == "gray") return pixels::Color::kGray;
  return text == "bgr" ? pixels::Color::kBgr : pixels::Color::kRgb;
}

}  // namespace

void check_preprocess_options(const Options& options, const RefuseOption& refuse) {
  if (!options.has("model") && (!options.has("width") || !options.has("height")))
    refuse("model", invalid("preprocess needs 'model', or 'width' and 'height', to know the tensor to make"));
  constexpr double kAny = -std::numeric_limits<double>::infinity();
  for (const auto& [option, least] : {std::pair{"mean", kAny}, std::pair{"std", 0.0}}) {
    if (!options.has(option)) continue;
    if (const Status status = check_normalisation(options, option, least); !status.ok())
      refuse(option, status);
  }
}

Result<TensorType> preprocess_type(const TypeContext& context) {
  return context.options().has("model") ? type_of_model(context) : type_of_options(context.options());
}

Result<pixels::Target> preprocess_target(const Options& options, const TensorType& type) {
  const bool planar = type.layout == Layout::kNchw;
  const std::size_t channel_axis = planar ? 1 : 3;
  pixels::Target target;
  target.width = static_cast<int>(type.shape[planar ? 3 : 2]);
  target.height = static_cast<int>(type.shape[planar ? 2 : 1]);
  target.layout = type.layout;
  target.dtype = type.dtype;
  target.quant = type.quant;
  target.fit = fit_of(options.text("fit"));
  target.color = color_of(options.text("color"));
  target.pad_value = options.number("pad_value");
  if (type.shape[channel_axis] != target.channels()) {
    return invalid(
        fmt::format("option 'color' is '{}', which makes {} channel(s), but the tensor is {}; allowed: {}",
                    options.text("color"), target.channels(), type.text(),
                    type.shape[channel_axis] == 1 ? "gray" : "rgb, bgr"));
  }
  if (type.quant && !type.quant->per_tensor() && type.quant->axis != static_cast<int>(channel_axis)) {
    return invalid(
        fmt::format("the tensor {} is quantised along dimension {}, allowed for a picture: its channels ({})",
                    type.text(), type.quant->axis, channel_axis));
  }
  SLUICE_RETURN_IF_ERROR(per_channel(options, "mean", target.channels(), target.mean));
  SLUICE_RETURN_IF_ERROR(per_channel(options, "std", target.channels(), target.std));
  return target;
}

}  // namespace sluice
