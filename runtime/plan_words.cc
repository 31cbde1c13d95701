#include <algorithm>

#include <fmt/format.h>

#include "framework/node/chosen_device.h"
#include "runtime/render_plan.h"

namespace sluice {
namespace plan_words {
namespace {

std::string fixed(double number, int decimals) { return fmt::format("{:.{}f}", number, decimals); }

std::string picture(const ImageType& image) {
  std::string out = "frame";
  if (image.format != PixelFormat::kNone) out += " " + std::string(sluice::name_of(image.format));
  if (image.width == 0) return out;
  return out + " " + std::to_string(image.width) + "x" + std::to_string(image.height);
}

}  // namespace

std::string size(std::size_t bytes) {
  const auto number = static_cast<double>(bytes);
  if (bytes < 1024) return std::to_string(bytes) + " B";
  if (bytes < 1024 * 1024) return fixed(number / 1024, 1) + " KiB";
  return fixed(number / (1024 * 1024), 1) + " MiB";
}

std::string port_type(const PortType& type) {
  if (type.kind == PortKind::kTensor && type.tensor) return type.tensor->text();
  if (type.kind == PortKind::kFrame) return picture(type.image);
  if (type.kind == PortKind::kCustom && type.payload) return std::string(type.payload->name);
  return std::string(sluice::name_of(type.kind));
}

std::string output_type(const NodePlan& node, std::size_t output) {
  std::string out, last;
  for (const NodeRoute& route : node.routes) {
    if (output >= route.outputs.size()) continue;
    const std::string text = port_type(route.outputs[output]);
    if (text != last) out += (out.empty() ? "" : " | ") + text;
    last = text;
  }
  return out;
}

std::string input_name(const Plan& plan, const PlanEdge& edge) {
  const auto& inputs = plan.nodes[static_cast<std::size_t>(edge.to_node)].declaration->inputs;
  const auto port = static_cast<std::size_t>(edge.to_port);
  const std::string name = port < inputs.size() ? inputs[port].name : std::to_string(port);
  return edge.element.empty() ? name : name + "[" + edge.element + "]";
}

std::string output_name(const Plan& plan, const PlanEdge& edge) {
  const NodePlan& node = plan.nodes[static_cast<std::size_t>(edge.from_node)];
  const auto output = static_cast<std::size_t>(edge.from_output);
  return output < node.outputs.size() ? node.id + "." + node.outputs[output].name : node.id;
}

// `auto` is the cpu: whoever reads the output reads it in host memory.
std::string device(const NodePlan& node) {
  const auto& declared = node.declaration->options;
  const auto option = std::ranges::find(declared, "device", &OptionDeclaration::name);
  if (option == declared.end() || option->choices.empty() || !node.options) return {};
  const std::string& written = node.options->text("device");
  const std::string chosen = node.options->has(kChosenDevice) ? node.options->text(kChosenDevice) : "cpu";
  return "on the " + (written == "auto" ? chosen : written) + " (device: " + written + ")";
}

std::string_view name_of(WhenFull when_full) {
  switch (when_full) {
    case WhenFull::kDefault:
      return "default";
    case WhenFull::kBlock:
      return "block";
    case WhenFull::kDropOldest:
      return "drop_oldest";
    case WhenFull::kDropNewest:
      return "drop_newest";
  }
  return "default";
}

std::string delivery(const PlanEdge& edge) {
  if (edge.latest && edge.max_age == 0) return "latest";
  if (edge.latest) return "latest, up to " + fixed(to_ms(edge.max_age), 0) + " ms old";
  if (edge.capacity == 0) return "exact";
  return "exact, capacity " + std::to_string(edge.capacity) + ", " + std::string(name_of(edge.when_full));
}

}  // namespace plan_words

std::optional<PlanFormat> parse_plan_format(std::string_view name) {
  if (name == "text") return PlanFormat::kText;
  if (name == "json") return PlanFormat::kJson;
  if (name == "dot") return PlanFormat::kDot;
  if (name == "svg") return PlanFormat::kSvg;
  return std::nullopt;
}

std::string render_plan(const Plan& plan, PlanFormat format) {
  switch (format) {
    case PlanFormat::kText:
      return render_plan_text(plan);
    case PlanFormat::kJson:
      return render_plan_json(plan);
    case PlanFormat::kDot:
      return render_plan_dot(plan);
    case PlanFormat::kSvg:
      return render_plan_svg(plan);
  }
  return {};
}

}  // namespace sluice
