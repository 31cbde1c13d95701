#include "runtime/option_json.h"

#include <cmath>
#include <string>

#include "framework/core/redact.h"

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

Json reference(const char* definition) { return {{"$ref", std::string("#/$defs/") + definition}}; }

Json one_of(const std::vector<std::string>& choices) { return {{"enum", choices}}; }

Json array_of(const Json& items) { return {{"type", "array"}, {"items", items}}; }

Json any_of(std::initializer_list<Json> alternatives) {
  Json out = Json::array();
  for (const Json& alternative : alternatives) out.push_back(alternative);
  return {{"anyOf", out}};
}

Json ranged(const char* type, const OptionDeclaration& option) {
  Json out = {{"type", type}};
  const auto bound = [&](double value) {
    return std::string(type) == "integer" ? Json(std::llround(value)) : Json(value);
  };
  if (std::isfinite(option.min)) out["minimum"] = bound(option.min);
  if (std::isfinite(option.max)) out["maximum"] = bound(option.max);
  return out;
}

// A whole number may stand where a list of names is declared beside it ('auto' or a number).
Json or_choices(const OptionDeclaration& option, const Json& schema) {
  if (option.choices.empty()) return any_of({schema, reference("expanded")});
  return any_of({one_of(option.choices), schema, reference("expanded")});
}

Json value_schema(const OptionDeclaration& option) {
  const Json text = {{"type", "string"}}, some = {{"type", "string"}, {"minLength", 1}};
  const Json words = option.choices.empty() ? text : one_of(option.choices);
  switch (option.kind) {
    case OptionKind::kBool:
      return any_of({{{"type", "boolean"}}, reference("expanded")});
    case OptionKind::kInteger:
      return or_choices(option, ranged("integer", option));
    case OptionKind::kNumber:
      return or_choices(option, ranged("number", option));
    case OptionKind::kRate:
      return or_choices(option, {{"type", "number"}, {"exclusiveMinimum", 0}});
    case OptionKind::kChoice:
      return any_of({one_of(option.choices), reference("expanded")});
    case OptionKind::kNumbers:
      return or_choices(option,
                        any_of({ranged("number", option),
                                array_of(any_of({ranged("number", option), reference("expanded")}))}));
    case OptionKind::kTexts: {
      const Json item = option.choices.empty() ? text : any_of({words, reference("expanded")});
      return any_of({item, array_of(item)});
    }
    case OptionKind::kTextsOrPath:
      return any_of({some, array_of(any_of({text, ranged("integer", option)}))});
    case OptionKind::kNumberSet: {
      const Json item = any_of({some, ranged("integer", option)});
      return any_of({item, array_of(item)});
    }
    case OptionKind::kMap:
      return options_schema(option.children);
    case OptionKind::kMaps:
      return array_of(options_schema(option.children));
    case OptionKind::kText:
      return option.choices.empty() ? text : any_of({words, reference("expanded")});
    case OptionKind::kPath:
    case OptionKind::kPathOut:
    case OptionKind::kUri:
      return some;
    case OptionKind::kModel:
      return text;
  }
  return text;
}

}  // namespace

Json to_json_value(const OptionValue& value) {
  if (const auto* flag = std::get_if<bool>(&value.data)) return *flag;
  if (const auto* whole = std::get_if<std::int64_t>(&value.data)) return *whole;
  if (const auto* number = std::get_if<double>(&value.data))
    return std::isfinite(*number) ? Json(*number) : Json(nullptr);
  if (const auto* text = std::get_if<std::string>(&value.data)) return redact_url(*text);
  if (const auto* list = std::get_if<OptionList>(&value.data)) {
    Json out = Json::array();
    for (const OptionValue& item : *list) out.push_back(to_json_value(item));
    return out;
  }
  if (const auto* map = std::get_if<OptionMap>(&value.data)) {
    Json out = Json::object();
    for (const auto& [key, item] : *map) out[key] = to_json_value(item);
    return out;
  }
  return nullptr;
}

Json option_schema(const OptionDeclaration& option) {
  Json out = value_schema(option);
  std::string description = option.doc;
  if (!option.unit.empty()) description += (description.empty() ? "In " : " In ") + option.unit + ".";
  if (!description.empty()) out["description"] = description;
  if (!option.fallback.is_null()) out["default"] = to_json_value(option.fallback);
  return out;
}

}  // namespace sluice
