// YAML text -> Value, strictly. The only place that includes yaml-cpp.
#pragma once

#include <optional>
#include <string_view>

#include "framework/spec/spec.h"

namespace sluice {

constexpr int kMaxYamlDepth = 64;
constexpr std::size_t kMaxYamlValues = 10'000;  // after aliases are expanded; keys do not count
constexpr std::size_t kMaxYamlTextBytes =
    1024 * 1024;  // of all texts and keys, after ${} and aliases are expanded

struct YamlResult {
  std::optional<Value> value;  // none when the text could not be read to its end
  Issues issues;
};

// One document. Bytes are checked first (bytes.h), scalars follow the core schema (scalar.h). All wrong
// values, keys and tags are reported; syntax errors, cycles and broken limits end the reading. No
// environment: nothing is expanded.
YamlResult read_yaml(std::string_view text, Environment environment);

}  // namespace sluice
