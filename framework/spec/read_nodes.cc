#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <utility>

#include "framework/core/suggest.h"
#include "framework/spec/fields.h"
#include "framework/spec/read.h"

namespace sluice {
namespace {

constexpr std::array<std::string_view, 5> kNodeKeys = {"id", "type", "inputs", "options", "on_error"};
constexpr std::array<std::string_view, 2> kOnError = {"drop", "stop"};
// What YAML 1.1 readers take for booleans or null: other programs would see another id.
constexpr std::array<std::string_view, 9> kReserved = {"on", "off",  "yes",   "no",  "y",
                                                       "n",  "true", "false", "null"};

void read_id(const Fields& fields, NodeSpec& node) {
  fields.require("id", "every node needs one");
  node.mark = fields.mark();
  const Value* const value = fields.find("id");
  if (!value) return;
  node.mark = value->mark;
  const auto reserved = "allowed is [a-z][a-z0-9_-]*, but not " + comma_list(kReserved);
  const std::string* const text = value->text();
  if (!text || !is_identifier(*text) ||
      std::find(kReserved.begin(), kReserved.end(), *text) != kReserved.end()) {
    fields.issue(value->mark, "'id' is " + (text ? in_quotes(*text) : describe(*value)) + ", " + reserved);
  }
  if (text) node.id = *text;
}

NodeSpec read_node(const Value& value, std::size_t number, Issues& issues) {
  NodeSpec node;
  node.mark = value.mark;
  const std::string nth = "node " + std::to_string(number + 1);
  if (!value.map()) {
    issues.push_back({value.mark, nth + " is " + describe(value) + ", must be a map with 'id' and 'type'"});
    return node;
  }
  read_id(Fields(value, nth, issues), node);
  const std::string owner = node.id.empty() ? nth : "node " + in_quotes(node.id);
  const Fields fields(value, owner, issues);
  fields.only(kNodeKeys);
  fields.require("type", "`sluice nodes` lists the types");
  node.type_mark = node.mark;
  if (const Value* const type = fields.find("type")) {
    node.type_mark = type->mark;
    node.type = fields.text("type").value_or("");
  }
  if (const Value* const inputs = fields.find("inputs")) read_inputs(*inputs, owner, node, issues);
  if (const Value* const options = fields.map("options")) node.options = *options;
  if (const Value* const on_error = fields.find("on_error")) {
    node.on_error_mark = on_error->mark;
    node.on_error = fields.choice("on_error", kOnError);
  }
  return node;
}

void check_unique(const std::vector<NodeSpec>& nodes, Issues& issues) {
  std::map<std::string_view, Mark> first;
  for (const NodeSpec& node : nodes) {
    if (node.id.empty()) continue;
    const auto [at, added] = first.emplace(node.id, node.mark);
    if (added) continue;
    issues.push_back({node.mark, "node id " + in_quotes(node.id) + " is used twice, first at " +
                                     std::to_string(at->second.line) + ":" +
                                     std::to_string(at->second.column)});
  }
}

}  // namespace

std::vector<NodeSpec> read_nodes(const Value& nodes, Issues& issues) {
  std::vector<NodeSpec> out;
  const Value::List* const list = nodes.list();
  if (!list || list->empty()) {
    issues.push_back({nodes.mark, "'nodes' is " + (list ? "an empty list" : describe(nodes)) +
                                      ", must be a list with at least one node"});
    return out;
  }
  for (const Value& node : *list) out.push_back(read_node(node, out.size(), issues));
  check_unique(out, issues);
  return out;
}

}  // namespace sluice
