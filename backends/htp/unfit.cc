#include "backends/htp/unfit.h"

#include <algorithm>
#include <set>
#include <vector>

#include "backends/htp/same_windows.h"
#include "backends/htp/unfit_resize.h"
#include "inference/onnx/attributes.h"

namespace sluice::htp {
namespace {

using onnx::Attributes;
using onnx::Bytes;
using onnx::Dims;

struct Graph {
  const onnx::ModelHeader& header;
  onnx::Shapes shapes;
  std::map<Bytes, const onnx::Initializer*> constants;
  std::set<Bytes> turned;

  Dims shape(Bytes tensor) const {
    const auto found = shapes.find(tensor);
    if (found != shapes.end()) return found->second;
    const auto constant = constants.find(tensor);
    return constant != constants.end() ? onnx::tensor_dims(constant->second->message) : Dims{};
  }
  onnx::Numbers numbers(const onnx::Operator& op, std::size_t input) const {
    if (input >= op.inputs.size()) return {};
    const auto found = constants.find(op.inputs[input]);
    return found == constants.end() ? onnx::Numbers{}
                                    : onnx::tensor_numbers(found->second->message).value_or(onnx::Numbers{});
  }
  bool is_input(Bytes tensor) const {
    return std::ranges::any_of(header.inputs, [&](const auto& one) { return one.name == tensor; });
  }
  bool is_output(Bytes tensor) const {
    return std::ranges::any_of(header.outputs, [&](const auto& one) { return one.name == tensor; });
  }
  // Behind an operator that the provider gives another layout.
  bool is_turned(Bytes tensor) const { return turned.contains(tensor); }
  bool feeds(Bytes tensor, Bytes type) const {
    return std::ranges::any_of(header.operators, [&](const onnx::Operator& op) {
      return op.type == type && !op.inputs.empty() && op.inputs[0] == tensor;
    });
  }
};

bool all_of(const Dims& values, std::int64_t value) {
  return std::ranges::all_of(values, [value](std::int64_t one) { return one == value; });
}
bool any_above(const Dims& values, std::int64_t value) {
  return std::ranges::any_of(values, [value](std::int64_t one) { return one > value; });
}

std::string why_conv(const Graph& graph, const onnx::Operator& op, Bytes message) {
  const Windows windows = windows_of(op, message, graph.header, graph.shapes);
  const std::int64_t groups = Attributes(message).number("group", 1);
  const bool dilated = any_above(windows.dilations, 1);
  if (dilated && groups > 1 && any_above(windows.strides, 1) && op.inputs.size() > 1) {
    const Dims weights = graph.shape(op.inputs[1]);
    if (weights.size() > 2 && weights[1] == 1)
      return "is depthwise with strides and dilations both, which QNN cannot compile";
  }
  if (dilated || all_of(windows.kernel, 1)) return {};
  for (std::size_t i = 0; i < windows.kernel.size(); ++i)
    if (std::max(windows.padding.begin[i], windows.padding.end[i]) >= windows.kernel[i])
      return "has padding as large as its kernel, which QNN computes wrong";
  return {};
}

// A kernel of one column, or of two that are padded on both sides.
std::string why_max_pool(const Graph& graph, const onnx::Operator& op, Bytes message) {
  const Windows windows = windows_of(op, message, graph.header, graph.shapes);
  if (windows.kernel.size() != 2 || std::ranges::min(windows.strides) < 2) return {};
  const auto& [begin, end] = windows.padding;
  if ((windows.kernel[1] == 1 && windows.kernel[0] > 1 && begin[0] + end[0] > 0) ||
      (windows.kernel[1] == 2 && begin[1] > 0 && end[1] > 0))
    return "has strides, padding and a kernel so narrow that QNN does not survive it or computes it wrong";
  return {};
}

bool counts_padding_right(const Windows& windows) {
  return all_of(windows.padding.begin, 0) ||
         (windows.kernel[0] == windows.kernel[1] && windows.kernel[0] % 2);
}

bool leaves_padding_out_right(const Windows& windows) {
  constexpr std::int64_t kLarge = 4;  // such kernels may have any padding
  const auto& [begin, end] = windows.padding;
  const bool strided = std::ranges::min(windows.strides) > 1;
  for (std::size_t i = 0; i < 2; ++i) {
    const std::int64_t kernel = windows.kernel[i];
    const bool fits = 2 * begin[i] < kernel && (strided ? 2 * end[i] <= kernel : 2 * end[i] < kernel);
    if ((kernel < kLarge && !fits) || (!strided && begin[i] != end[i])) return false;
  }
  return strided || begin[0] == 0 || begin[1] > 0;
}

std::string why_average_pool(const Graph& graph, const onnx::Operator& op, Bytes message) {
  const Windows windows = windows_of(op, message, graph.header, graph.shapes);
  if (windows.kernel.size() != 2 ||
      (!any_above(windows.padding.begin, 0) && !any_above(windows.padding.end, 0)))
    return {};
  const bool counted = Attributes(message).number("count_include_pad", 0) != 0;
  if (counted ? counts_padding_right(windows) : leaves_padding_out_right(windows)) return {};
  return std::string("has padding that QNN counts wrong or does not survive") +
         (counted ? "; put a Pad before it" : "");
}

std::string why_resize(const Graph& graph, const onnx::Operator& op, Bytes message) {
  if (op.inputs.size() < 3 || op.outputs.empty()) return {};  // before opset 11: asymmetric, floor
  return why_resize_is_unfit(Attributes(message), graph.shape(op.inputs[0]), graph.shape(op.outputs[0]),
                             graph.numbers(op, 2));
}

// It loses its way where the provider turns a convolution's layout back behind it.
std::string why_arg(const Graph& graph, const onnx::Operator& op, Bytes message) {
  if (op.inputs.empty() || op.outputs.empty() || !graph.is_turned(op.inputs[0])) return {};
  const Attributes attributes(message);
  const std::int64_t axis = attributes.number("axis", 0);
  const bool channels = axis == 1 || axis == -3;
  const Bytes result = op.outputs[0];
  const bool given = graph.is_output(result) || graph.feeds(result, "Squeeze") ||
                     graph.feeds(result, "Reshape") || graph.feeds(result, "Flatten");
  if (graph.shape(op.inputs[0]).size() != 4 || !given || (channels && attributes.number("keepdims", 1) == 0))
    return {};
  return "gives an output of the model in a layout that QNN's provider mixes up; axis 1 with keepdims 0 is "
         "right";
}

std::string why_pad(const Graph& graph, const onnx::Operator& op, Bytes message) {
  constexpr std::size_t kNumbers = 8;  // two for each of N, C, H, W
  const onnx::Numbers pads = graph.numbers(op, 1);
  if (pads.size() != kNumbers || op.outputs.empty()) return {};
  const Bytes mode = Attributes(message).text("mode");
  const bool turned = graph.is_turned(op.inputs[0]), constant = mode.empty() || mode == "constant";
  const onnx::Numbers value = graph.numbers(op, 2);
  if (constant && turned && pads[5] > 0 && !value.empty() && value[0] != 0)
    return "adds channels that are not 0, where QNN writes 0; use Concat";
  if (constant && !turned && pads[3] <= 0 && pads[6] > 0 && pads[7] > 0 &&
      !graph.feeds(op.outputs[0], "Conv"))
    return "pads the end of both axes before any convolution, which QNN computes wrong";
  if (mode == "edge" && graph.is_input(op.inputs[0]) && (pads[3] > 0 || pads[7] > 0))
    return "repeats the edges of an input of the model, which QNN computes wrong";
  return {};
}

std::string why_tile(const Graph& graph, const onnx::Operator& op, Bytes) {
  constexpr std::size_t kMostDims = 4;
  const onnx::Numbers repeats = graph.numbers(op, 1);
  if (repeats.size() <= kMostDims || std::ranges::any_of(repeats, [](double times) { return times != 1; }))
    return {};
  return "repeats nothing of more than 4 dimensions, which QNN's compiler does not survive; leave it out";
}

using Why = std::string (*)(const Graph&, const onnx::Operator&, Bytes message);
struct Rule {
  std::string_view type;
  Why why;
};
constexpr Rule kRules[] = {
    {"Conv", why_conv},     {"MaxPool", why_max_pool}, {"AveragePool", why_average_pool},
    {"Resize", why_resize}, {"ArgMax", why_arg},       {"ArgMin", why_arg},
    {"Pad", why_pad},       {"Tile", why_tile}};

Why rule_for(const onnx::Operator& op) {
  if (!op.domain.empty() && op.domain != "ai.onnx") return nullptr;
  for (const auto& [type, why] : kRules)
    if (op.type == type) return why;
  return nullptr;
}

std::string named(const onnx::Operator& op) {
  const Bytes name = op.name.empty() && !op.outputs.empty() ? op.outputs[0] : op.name;
  return "operator '" + std::string(name) + "' (" + std::string(op.type) + ") ";
}

std::set<Bytes> turned_tensors(const onnx::ModelHeader& header) {
  static const std::set<Bytes> kTurning = {"Conv",
                                           "ConvTranspose",
                                           "MaxPool",
                                           "AveragePool",
                                           "Resize",
                                           "GlobalAveragePool",
                                           "GlobalMaxPool",
                                           "BatchNormalization",
                                           "InstanceNormalization",
                                           "DepthToSpace",
                                           "SpaceToDepth"};
  std::set<Bytes> out;
  for (const onnx::Operator& op : header.operators)
    if (kTurning.contains(op.type) ||
        std::ranges::any_of(op.inputs, [&](Bytes input) { return out.contains(input); }))
      out.insert(op.outputs.begin(), op.outputs.end());
  return out;
}

}  // namespace

Unfit unfit_operators(const onnx::ModelHeader& header, std::string_view file, const onnx::FixedDims& dims) {
  Unfit out;
  if (std::ranges::none_of(header.operators, rule_for)) return out;
  Graph graph{.header = header,
              .shapes = onnx::shapes_of(header, file, dims),
              .constants = {},
              .turned = turned_tensors(header)};
  for (const auto* constants : {&header.constants, &header.initializers})
    for (const onnx::Initializer& one : *constants) graph.constants[one.name] = &one;
  const std::vector<Bytes> messages = onnx::node_messages(file);
  for (std::size_t i = 0; i < std::min(messages.size(), header.operators.size()); ++i) {
    const onnx::Operator& op = header.operators[i];
    const Why why = rule_for(op);
    std::string wrong = why ? why(graph, op, messages[i]) : std::string();
    if (!wrong.empty()) out[i] = named(op) + wrong;
  }
  return out;
}

std::string describe(const Unfit& unfit) {
  constexpr std::size_t kMost = 4;
  std::string text;
  std::size_t count = 0;
  for (const auto& [place, why] : unfit) {
    if (count++ == kMost) return text + "; and " + std::to_string(unfit.size() - kMost) + " more";
    text += (text.empty() ? "" : "; ") + why;
  }
  return text;
}

}  // namespace sluice::htp
