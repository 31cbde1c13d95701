// GraphSpec: plain structs that mirror the pipeline file, every value with its place. Nothing here knows a
// node type.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "framework/core/status.h"

namespace sluice {

// 1-based; 0 = unknown.
struct Mark {
  int line = 0;
  int column = 0;
};

// One value of the file (YAML 1.2 core schema), with the place it was written at.
struct Value {
  struct Entry;
  using List = std::vector<Value>;
  using Map = std::vector<Entry>;  // in the order of the file; keys are unique
  std::variant<std::monostate, bool, std::int64_t, double, std::string, List, Map> data;
  Mark mark;

  bool is_null() const { return data.index() == 0; }
  const List* list() const { return std::get_if<List>(&data); }
  const Map* map() const { return std::get_if<Map>(&data); }
  const std::string* text() const { return std::get_if<std::string>(&data); }
  const Value* find(std::string_view key) const;  // in a map; null otherwise
};
struct Value::Entry {
  std::string key;
  Mark key_mark;
  Value value;
};
// "a map", "a list", "the text 'x'", "3", ... for messages.
std::string describe(const Value& value);

// A place and what is wrong there. `code` decides the exit code (kInvalid: 2, kUnavailable: 3).
struct Issue {
  Mark mark;
  std::string message;  // without file, place and "error: "
  Code code = Code::kInvalid;
  bool warning = false;
};
// "FILE:LINE:COLUMN: error: MESSAGE"
std::string format(std::string_view file, const Issue& issue);
using Issues = std::vector<Issue>;

struct VariantSpec {
  std::string name;
  Mark mark;
  std::string path;
  Mark path_mark;
  std::optional<std::string> sha256;
  std::optional<double> snr_db;
};

struct ModelSpec {
  std::string name;
  Mark mark;
  std::string path;  // as written (after ${} expansion)
  Mark path_mark;
  std::optional<std::string> sha256;
  Mark sha256_mark;
  std::vector<std::pair<std::string, std::int64_t>> dims;  // "N" or "input.0"
  std::vector<VariantSpec> variants;
};

enum class Sync { kExact, kLatest };
enum class WhenFull { kDefault, kBlock, kDropOldest, kDropNewest };

struct InputSpec {
  std::string port;  // empty: by position
  std::string from;  // "node" or "node.port"
  Mark mark;
  Sync sync = Sync::kExact;
  std::optional<double> max_age_ms;
  std::optional<int> capacity;
  WhenFull when_full = WhenFull::kDefault;
  Mark when_full_mark;
  Mark capacity_mark;
};

struct NodeSpec {
  std::string id;
  Mark mark;
  std::string type;
  Mark type_mark;
  bool inputs_by_port = false;  // written as a map
  std::vector<InputSpec>
      inputs;  // a set given as a map of model outputs: several with the same port, `element` set
  std::vector<std::string> input_elements;  // parallel to inputs: name within a set; empty otherwise
  Value options;                            // a map, or null
  std::optional<std::string> on_error;
  Mark on_error_mark;
};

struct FlowSpec {
  std::optional<std::string> mode;  // "realtime" or "lossless"; none: implied
  Mark mode_mark;
  std::optional<int> max_in_flight;  // none: auto
  Mark max_in_flight_mark;
  double deadline_ms = 0;
  Mark deadline_mark;
};

struct GraphSpec {
  std::string file;       // as given; "<text>" for text
  std::string directory;  // relative paths of the file are relative to it
  std::string name;
  std::vector<ModelSpec> models;
  std::vector<NodeSpec> nodes;
  FlowSpec flow;
  Value selector;  // maps, checked by the plan against declarations
  Value backends;
  Value device;
};

struct ParsedSpec {
  GraphSpec spec;  // usable as far as it goes when there are errors
  Issues issues;
  bool ok() const;  // no errors (warnings allowed)
};

// Reads a file (kInvalid issues for an unreadable one) or text. `environment` answers ${NAME}; default:
// getenv.
using Environment = std::optional<std::string> (*)(std::string_view name);
ParsedSpec parse_spec_file(const std::string& path, Environment environment = nullptr);
ParsedSpec parse_spec_text(std::string_view text, std::string file = "<text>", std::string directory = ".",
                           Environment environment = nullptr);
// One scalar, list or map in flow style, as on the command line (`--set node.option=value`): same checks.
Result<Value> parse_value(std::string_view text);

}  // namespace sluice
