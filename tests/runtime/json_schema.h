// As much of a JSON Schema validator as our own schema needs.
#pragma once

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <regex>
#include <stdexcept>
#include <string>

namespace sluice::testing {

// Whether a value follows a schema of draft 2020-12. A keyword that it does not know is a std::logic_error: a
// rule that was passed over would look like one that holds.
class JsonSchema {
 public:
  using Json = nlohmann::ordered_json;
  explicit JsonSchema(Json root) : root_(std::move(root)) {}
  bool takes(const Json& value) const { return takes(root_, value); }
  bool takes(const Json& schema, const Json& value) const {
    if (schema.is_boolean()) return schema.get<bool>();
    const auto holds = [&](const auto& rule) { return this->holds(schema, rule.key(), rule.value(), value); };
    const auto rules = schema.items();
    return std::all_of(rules.begin(), rules.end(), holds);
  }

 private:
  bool holds(const Json& schema, const std::string& key, const Json& rule, const Json& value) const {
    const auto takes_it = [&](const Json& part) { return takes(part, value); };
    if (key == "$ref") return takes(root_["$defs"][rule.get<std::string>().substr(8)], value);  // "#/$defs/"
    if (key == "anyOf") return std::any_of(rule.begin(), rule.end(), takes_it);
    if (key == "oneOf") return std::count_if(rule.begin(), rule.end(), takes_it) == 1;
    if (key == "allOf") return std::all_of(rule.begin(), rule.end(), takes_it);
    if (key == "not") return !takes(rule, value);
    if (key == "if") return !takes(rule, value) || takes(schema.at("then"), value);
    if (key == "const") return rule == value;
    if (key == "enum") return std::find(rule.begin(), rule.end(), value) != rule.end();
    if (key == "type") {
      if (rule.is_string()) return is_of(rule, value);
      return std::any_of(rule.begin(), rule.end(), [&](const Json& type) { return is_of(type, value); });
    }
    if (value.is_object()) return holds_for_object(schema, key, rule, value);
    if (value.is_array()) return holds_for_array(key, rule, value);
    if (value.is_string()) return holds_for_text(key, rule, value.get<std::string>());
    if (value.is_number()) return holds_for_number(key, rule, value.get<double>());
    return is_known(key);
  }

  static bool is_of(const std::string& type, const Json& value) {
    if (type == "integer") return value.is_number_integer();
    if (type == "number") return value.is_number();
    return type == value.type_name();
  }

  bool holds_for_object(const Json& schema, const std::string& key, const Json& rule,
                        const Json& value) const {
    const auto properties = schema.value("properties", Json::object());
    if (key == "required")
      return std::all_of(rule.begin(), rule.end(),
                         [&](const Json& name) { return value.contains(name.get<std::string>()); });
    if (key == "minProperties") return value.size() >= rule.get<std::size_t>();
    for (const auto& [name, part] : value.items()) {
      if (key == "properties" && rule.contains(name) && !takes(rule[name], part)) return false;
      if (key == "additionalProperties" && !properties.contains(name) && !takes(rule, part)) return false;
    }
    return is_known(key);
  }

  bool holds_for_array(const std::string& key, const Json& rule, const Json& value) const {
    if (key == "items")
      return std::all_of(value.begin(), value.end(), [&](const Json& item) { return takes(rule, item); });
    if (key == "minItems") return value.size() >= rule.get<std::size_t>();
    if (key == "uniqueItems")
      return std::all_of(value.begin(), value.end(),
                         [&](const Json& item) { return std::count(value.begin(), value.end(), item) == 1; });
    return is_known(key);
  }

  static bool holds_for_text(const std::string& key, const Json& rule, const std::string& text) {
    if (key == "minLength") return text.size() >= rule.get<std::size_t>();
    if (key == "pattern") return std::regex_search(text, std::regex(rule.get<std::string>()));
    return is_known(key);
  }

  static bool holds_for_number(const std::string& key, const Json& rule, double number) {
    if (key == "minimum") return number >= rule.get<double>();
    if (key == "maximum") return number <= rule.get<double>();
    if (key == "exclusiveMinimum") return number > rule.get<double>();
    return is_known(key);
  }

  // Keywords of other kinds of values, and those that say nothing about them.
  static bool is_known(const std::string& key) {
    for (const char* known :
         {"$schema", "$defs", "title", "description", "default", "then", "properties", "additionalProperties",
          "required", "minProperties", "items", "minItems", "uniqueItems", "minLength", "pattern", "minimum",
          "maximum", "exclusiveMinimum"})
      if (key == known) return true;
    throw std::logic_error("keyword '" + key + "' of JSON Schema is not known here");
  }

  Json root_;
};

}  // namespace sluice::testing
