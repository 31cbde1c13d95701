#include "runtime/thermal/identity.h"

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>

#include "inference/checked_model.h"
#include "inference/sha256.h"
#include "simulation/profile_reader.h"

namespace sluice {
namespace {

using Json = nlohmann::json;

Json json_of(const Value& value) {
  if (const Value::List* list = value.list()) {
    Json out = Json::array();
    for (const Value& v : *list) out.push_back(json_of(v));
    return out;
  }
  if (const Value::Map* map = value.map()) {
    Json out = Json::object();
    for (const Value::Entry& entry : *map) out[entry.key] = json_of(entry.value);
    return out;
  }
  if (const auto* flag = std::get_if<bool>(&value.data)) return *flag;
  if (const auto* integer = std::get_if<std::int64_t>(&value.data)) return *integer;
  if (const auto* number = std::get_if<double>(&value.data)) return *number;
  return value.text() ? Json(*value.text()) : Json(nullptr);
}

template <typename T>
Json json_of(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json json_of(const ModelSpec& model) {
  Json variants = Json::array();
  for (const VariantSpec& v : model.variants)
    variants.push_back({v.name, v.path, json_of(v.sha256), json_of(v.snr_db)});
  return {model.name, model.path, json_of(model.sha256), model.dims, variants};
}

Json json_of(const NodeSpec& node) {
  Json inputs = Json::array();
  for (const InputSpec& i : node.inputs)
    inputs.push_back({i.port, i.from, static_cast<int>(i.sync), json_of(i.max_age_ms), json_of(i.capacity),
                      static_cast<int>(i.when_full)});
  return {node.id, node.type, inputs, node.input_elements, json_of(node.options), json_of(node.on_error)};
}

}  // namespace

std::string spec_sha256(const GraphSpec& spec) {
  Json models = Json::array(), nodes = Json::array();
  for (const ModelSpec& model : spec.models) models.push_back(json_of(model));
  for (const NodeSpec& node : spec.nodes) nodes.push_back(json_of(node));
  const Json flow = {json_of(spec.flow.mode), json_of(spec.flow.max_in_flight), spec.flow.deadline_ms};
  const Json all = {spec.name,           models, nodes, flow, json_of(spec.selector), json_of(spec.backends),
                    json_of(spec.device)};
  return sha256_hex(all.dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::string models_sha256(const Plan& plan) {
  std::string hashes;
  const auto add = [&hashes](const ModelRequest& request) {
    const Result<std::string> hash = hash_of(request);
    if (hash.ok()) hashes += request.name + "\n" + request.variant + "\n" + *hash + "\n";
    return hash.ok();
  };
  for (const ModelPlan& model : plan.models) {
    if (!add({model.name, "", model.path, "", model.dims})) return {};
    for (const ModelPlan::Variant& v : model.variants) {
      if (!add({model.name, v.name, v.path, "", model.dims})) return {};
    }
  }
  return hashes.empty() ? "" : sha256_hex(hashes);
}

std::string profile_sha256(const std::string& name_or_path) {
  std::string text(shipped_profile(name_or_path));
  if (text.empty()) {
    std::ifstream file(name_or_path, std::ios::binary);
    text.assign(std::istreambuf_iterator<char>(file), {});
  }
  return text.empty() ? "" : sha256_hex(text);
}

}  // namespace sluice
