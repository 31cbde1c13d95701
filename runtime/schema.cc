#include "runtime/schema.h"

#include "framework/node/sections.h"
#include "runtime/option_json.h"

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kReservedIds[] = {"on", "off", "yes", "no", "y", "n", "true", "false", "null"};
constexpr const char* kText = "string";

Json reference(const std::string& definition) { return {{"$ref", "#/$defs/" + definition}}; }

Json closed_object(Json properties, std::initializer_list<const char*> required) {
  Json out = {{"type", "object"}, {"properties", std::move(properties)}};
  if (required.size() != 0)
    out["required"] = Json(std::vector<std::string>(required.begin(), required.end()));
  out["additionalProperties"] = false;
  return out;
}

Json map_of(Json values) {
  return {{"type", Json::array({"object", "null"})}, {"additionalProperties", std::move(values)}};
}

Json described(Json schema, const char* text) {
  schema["description"] = text;
  return schema;
}

Json expandable(Json schema) { return {{"anyOf", Json::array({std::move(schema), reference("expanded")})}}; }

Json hash() {
  return described(expandable({{"type", kText}, {"pattern", "^[0-9a-fA-F]{64}$"}}),
                   "SHA-256; another file is refused.");
}

Json path(const char* text) { return {{"type", kText}, {"minLength", 1}, {"description", text}}; }

Json choice(std::initializer_list<const char*> words) { return expandable({{"enum", Json(words)}}); }

Json variant() {
  const Json file = closed_object(
      {{"path", path("The ONNX file.")},
       {"sha256", hash()},
       {"snr_db", described(expandable({{"type", "number"}}), "Accuracy against the float model. In dB.")}},
      {"path"});
  return {{"anyOf", Json::array({path("The ONNX file."), file})}};
}

Json model() {
  const Json size = expandable({{"type", "integer"}, {"minimum", 1}});
  return closed_object(
      {{"path", path("The ONNX file, relative to this file.")},
       {"sha256", hash()},
       {"dims", described(map_of(size), "Fixes symbolic dimensions, by name or as 'input.0'.")},
       {"variants", described(map_of(reference("variant")), "Other builds of the same network.")}},
      {"path"});
}

Json edge() {
  const Json count = {{"type", "integer"}, {"minimum", 1}, {"maximum", 1024}};
  return closed_object({{"from", described({{"type", kText}, {"minLength", 1}}, "node or node.port.")},
                        {"sync", described(choice({"exact", "latest"}),
                                           "exact (default): this frame's; latest: the newest there is.")},
                        {"max_age_ms", described(expandable({{"type", "number"}, {"minimum", 0}}),
                                                 "latest: older than this counts as none; 0: never. In ms.")},
                        {"capacity", described(expandable(count), "exact: frames that may wait.")},
                        {"when_full", described(choice({"block", "drop_oldest", "drop_newest"}),
                                                "exact: what happens to a frame that finds no place.")}},
                       {"from"});
}

// The long form, with `from` or without (then it is misspelt), is no map of ports: one of its keys tells.
// `from` alone may be a port.
Json long_form(bool with_from) {
  Json keys = Json::array();
  for (const char* key : {"sync", "max_age_ms", "capacity", "when_full"})
    keys.push_back({{"required", Json::array({key})}});
  if (with_from) return {{"required", Json::array({"from"})}, {"anyOf", keys}};
  keys.push_back({{"required", Json::array({"from"})}});
  return {{"anyOf", keys}};
}

Json inputs() {
  const Json source = {{"anyOf", Json::array({{{"type", kText}, {"minLength", 1}}, reference("edge")})}};
  const Json set = {
      {"type", "object"}, {"additionalProperties", source}, {"minProperties", 1}, {"not", long_form(false)}};
  const Json port = {{"anyOf", Json::array({{{"type", kText}, {"minLength", 1}}, reference("edge"), set})}};
  return {{"description", "A source (node or node.port), a list by position, or a map by port."},
          {"anyOf",
           Json::array({{{"type", "null"}},
                        {{"type", kText}, {"minLength", 1}},
                        {{"type", "array"}, {"items", source}},
                        reference("edge"),
                        {{"type", "object"}, {"additionalProperties", port}, {"not", long_form(true)}}})}};
}

Json flow() {
  const Json most = {{"anyOf", Json::array({{{"const", "auto"}},
                                            {{"type", "integer"}, {"minimum", 1}, {"maximum", 1024}},
                                            reference("expanded")})},
                     {"default", "auto"},
                     {"description", "Credits: frames of a source inside the graph at once."}};
  Json out = closed_object(
      {{"mode",
        described(choice({"realtime", "lossless"}),
                  "realtime: drop and count, never queue up; lossless: never drop, throttle the source.")},
       {"max_in_flight", most},
       {"deadline_ms",
        {{"anyOf", Json::array({{{"type", "number"}, {"minimum", 0}}, reference("expanded")})},
         {"default", 0},
         {"description", "realtime: older frames are dropped; 0: none. In ms."}}}},
      {});
  out["type"] = Json::array({"object", "null"});
  return out;
}

Json section(const std::deque<OptionDeclaration>& options) {
  Json out = options_schema(options);
  out["type"] = Json::array({"object", "null"});
  return out;
}

Json node_types(const std::vector<const NodeDeclaration*>& types) {
  Json out = Json::array();
  for (const NodeDeclaration* type : types)
    out.push_back({{"const", type->type}, {"description", type->summary}});
  return expandable({{"oneOf", out}});
}

bool needs_options(const NodeDeclaration& type) {
  for (const OptionDeclaration& option : type.options) {
    if (option.required) return true;
  }
  return false;
}

// One `if type is X then options are X's` per type: editors complete the options of the type that is written.
Json node(const std::vector<const NodeDeclaration*>& types) {
  Json out = closed_object(
      {{"id",
        expandable({{"type", kText}, {"pattern", "^[a-z][a-z0-9_-]*$"}, {"not", {{"enum", kReservedIds}}}})},
       {"type", node_types(types)},
       {"inputs", reference("inputs")},
       {"options", {{"type", Json::array({"object", "null"})}}},
       {"on_error", described(choice({"drop", "stop"}),
                              "drop: the frame is counted as failed; stop: the run drains and fails.")}},
      {"id", "type"});
  Json rules = Json::array();
  for (const NodeDeclaration* type : types) {
    Json then = {{"properties", {{"options", reference("options." + type->type)}}}};
    Json required = Json::array();
    if (needs_options(*type)) required.push_back("options");
    if (!type->source) {  // an input drives every other node
      then["properties"]["inputs"] = {{"not", {{"enum", {nullptr, Json::array(), Json::object()}}}}};
      required.push_back("inputs");
    }
    if (!required.empty()) then["required"] = std::move(required);
    rules.push_back(
        {{"if", {{"properties", {{"type", {{"const", type->type}}}}}, {"required", Json::array({"type"})}}},
         {"then", std::move(then)}});
  }
  out["allOf"] = std::move(rules);
  return out;
}

// Adds `more` to every part of `schema` that is of `type`.
void add_to(Json& schema, const std::string& type, const Json& more) {
  if (schema.is_object() && schema.value("type", Json()) == type) schema.update(more);
  if (!schema.is_structured()) return;
  for (Json& part : schema) add_to(part, type, more);
}

// What is checked beyond the declarations: `backends` by the plan, `mean` and `std` by preprocess.
void add_further_checks(const std::string& type, Json& options) {
  Json& all = options["properties"];
  if (all.contains("backends")) add_to(all["backends"], "array", {{"minItems", 1}, {"uniqueItems", true}});
  if (type != "preprocess") return;
  for (const char* numbers : {"mean", "std"}) add_to(all[numbers], "array", {{"minItems", 1}});
  add_to(all["std"], "number", {{"exclusiveMinimum", 0}});
}

Json definitions(const std::vector<const NodeDeclaration*>& types) {
  Json out = {
      {"expanded",
       {{"type", kText}, {"pattern", "\\$\\{[A-Za-z_]"}, {"description", "Expanded from the environment."}}},
      {"variant", variant()},
      {"model", model()},
      {"edge", edge()},
      {"inputs", inputs()},
      {"node", node(types)}};
  for (const NodeDeclaration* type : types) {
    Json options = options_schema(type->options);
    add_further_checks(type->type, options);
    if (!needs_options(*type)) options["type"] = Json::array({"object", "null"});
    out["options." + type->type] = std::move(options);
  }
  return out;
}

}  // namespace

std::string make_schema(const Registry& registry) {
  const auto types = registry.all();
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                 {"title", "Sluice pipeline, version 1"}};
  schema.update(closed_object(
      {{"version", expandable({{"const", 1}})},
       {"name",
        {{"type", kText}, {"minLength", 1}, {"description", "Default: the file's name without extension."}}},
       {"models",
        described(map_of(reference("model")), "Every model by name, so that several nodes can share one.")},
       {"nodes", {{"type", "array"}, {"items", reference("node")}, {"minItems", 1}}},
       {"flow", described(flow(), "How frames travel.")},
       {"selector", described(section(selector_section()), "Defaults for every infer node.")},
       {"backends",
        described(section(backends_section()), "Settings per backend; an infer node may override them.")},
       {"device", described(section(device_section()), "Where temperatures, clocks and power come from.")}},
      {"version", "nodes"}));
  schema["$defs"] = definitions(types);
  return schema.dump(2) + "\n";
}

}  // namespace sluice
