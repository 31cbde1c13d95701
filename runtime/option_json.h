// Option values and declarations as JSON, for the schema, `plan --format json` and `nodes --json`.
#pragma once

#include <nlohmann/json.hpp>

#include "framework/node/declaration.h"

namespace sluice {

// Passwords of addresses are masked.
nlohmann::ordered_json to_json_value(const OptionValue& value);

// The schema of one option's value, with its description and default.
nlohmann::ordered_json option_schema(const OptionDeclaration& option);

// {type: object, properties, required, additionalProperties: false} of a whole set of options.
template <typename Options>
nlohmann::ordered_json options_schema(const Options& options) {
  nlohmann::ordered_json out = {{"type", "object"}, {"properties", nlohmann::ordered_json::object()}};
  nlohmann::ordered_json required = nlohmann::ordered_json::array();
  for (const OptionDeclaration& option : options) {
    out["properties"][option.name] = option_schema(option);
    if (option.required) required.push_back(option.name);
  }
  if (!required.empty()) out["required"] = required;
  out["additionalProperties"] = false;
  return out;
}

}  // namespace sluice
