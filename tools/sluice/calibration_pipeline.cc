#include "tools/sluice/calibration_pipeline.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <vector>

#include "framework/core/suggest.h"
#include "inference/foreign_json.h"
#include "tools/sluice/graph_cut.h"

namespace sluice::cli {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr std::array<std::string_view, 5> kPixelOptions = {"fit", "color", "mean", "std", "pad_value"};
constexpr const char* kModelName = "network";

// Files that image_source reads; everything else is taken for a video.
bool is_picture(const fs::path& path) {
  constexpr std::array<std::string_view, 12> kEndings = {".jpg",  ".jpeg", ".png", ".bmp", ".webp", ".tif",
                                                         ".tiff", ".pnm",  ".ppm", ".pgm", ".pbm",  ".jpe"};
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return std::find(kEndings.begin(), kEndings.end(), ending) != kEndings.end();
}

NodeSpec source_for(const std::string& data) {
  std::error_code error;
  const std::string path = fs::absolute(data, error).string();
  return fs::is_directory(path, error) || is_picture(path) ? picture_source(path) : video_source(path);
}

const NodeSpec* find_node(const GraphSpec& spec, const std::string& id) {
  const auto found =
      std::find_if(spec.nodes.begin(), spec.nodes.end(), [&](const auto& n) { return n.id == id; });
  return found == spec.nodes.end() ? nullptr : &*found;
}

const std::string* model_option(const NodeSpec& node) {
  const Value* const value = node.options.find("model");
  return value ? value->text() : nullptr;
}

Status check_is_preprocess(const GraphSpec& spec, const std::string& id) {
  const NodeSpec* const node = find_node(spec, id);
  if (node && node->type == "preprocess") return {};
  std::vector<std::string> there;
  for (const NodeSpec& n : spec.nodes) {
    if (n.type == "preprocess") there.push_back(n.id);
  }
  const std::string list = there.empty() ? "none" : comma_list(there);
  if (!node)
    return invalid("--preprocess: there is no node " + in_quotes(id) + "; preprocess nodes: " + list);
  return invalid("--preprocess: node " + in_quotes(id) + " is a " + node->type +
                 ", not a preprocess; there: " + list);
}

// The float network takes the place of the model (and of its variants) that the preprocess is for; other
// models stay where kept nodes read them.
void replace_model(GraphSpec& spec, const std::string& node, const std::string& path) {
  std::set<std::string> used;
  for (const NodeSpec& n : spec.nodes) {
    if (const std::string* const name = model_option(n)) used.insert(*name);
  }
  std::erase_if(spec.models, [&](const ModelSpec& m) { return !used.contains(m.name); });
  const std::string* const target = model_option(*find_node(spec, node));
  for (ModelSpec& model : spec.models) {
    if (!target || model.name != *target) continue;
    ModelSpec replaced;
    replaced.name = model.name;
    replaced.mark = model.mark;
    std::error_code error;
    replaced.path = fs::absolute(path, error).string();
    model = std::move(replaced);
  }
}

Json json_of(const Value& value) {
  if (const auto* const list = value.list()) {
    Json out = Json::array();
    for (const Value& v : *list) out.push_back(json_of(v));
    return out;
  }
  if (const auto* const text = value.text()) return *text;
  if (const auto* const integer = std::get_if<std::int64_t>(&value.data)) return *integer;
  if (const auto* const number = std::get_if<double>(&value.data)) return *number;
  return nullptr;
}

GraphSpec pipeline_with(Value::Map options, const CalibrationSource& source) {
  GraphSpec out;
  out.file = "<calibration>";
  out.directory = ".";
  out.name = "calibration";
  ModelSpec model;
  model.name = kModelName;
  std::error_code error;
  model.path = fs::absolute(source.model, error).string();
  out.models.push_back(model);
  NodeSpec camera = source_for(source.data);
  camera.id = "camera";
  NodeSpec pre;
  pre.id = "pre";
  pre.type = "preprocess";
  InputSpec input;
  input.from = "camera";
  pre.inputs = {input};
  pre.input_elements = {""};
  options.push_back({"model", {}, Value{std::string(kModelName), {}}});
  pre.options.data = std::move(options);
  NodeSpec sink;
  sink.id = kCalibrationSink;
  sink.type = "app_sink";
  input.from = "pre";
  sink.inputs = {input};
  sink.input_elements = {""};
  out.nodes = {camera, pre, sink};
  out.flow.mode = "lossless";
  return out;
}

}  // namespace

Result<GraphSpec> make_calibration_pipeline(const GraphSpec& spec, const Registry& registry,
                                            const std::string& node, const CalibrationSource& source) {
  SLUICE_RETURN_IF_ERROR(check_is_preprocess(spec, node));
  SLUICE_ASSIGN(GraphSpec out,
                cut_graph(spec, registry, node, source_for(source.data), kCalibrationSink, "calibration"));
  replace_model(out, node, source.model);
  return out;
}

GraphSpec default_calibration_pipeline(const CalibrationSource& source, const DefaultPixels& pixels) {
  return pipeline_with({{"mean", {}, Value{pixels.mean, {}}}, {"std", {}, Value{pixels.std, {}}}}, source);
}

std::string preprocess_json(const GraphSpec& spec, const std::string& node) {
  Json out = Json::object();
  const NodeSpec* const found = find_node(spec, node);
  for (const std::string_view option : kPixelOptions) {
    const Value* const value = found ? found->options.find(option) : nullptr;
    if (value) out[std::string(option)] = json_of(*value);
  }
  return out.dump();
}

Result<GraphSpec> calibration_pipeline_from(const std::string& json, const CalibrationSource& source) {
  const Json parsed = read_json<Json>(json);
  if (!parsed.is_object()) return invalid("the model's note of its preprocessing is no JSON object: " + json);
  Value::Map options;
  for (const std::string_view option : kPixelOptions) {
    const auto found = parsed.find(option);
    if (found == parsed.end()) continue;
    // JSON is YAML in flow style: the same reader, the same checks.
    SLUICE_ASSIGN(Value value, parse_value(found->dump()));
    options.push_back({std::string(option), {}, std::move(value)});
  }
  return pipeline_with(std::move(options), source);
}

std::string preprocess_of(const GraphSpec& spec) { return spec.nodes.back().inputs.front().from; }

}  // namespace sluice::cli
