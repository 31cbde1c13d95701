#include "runtime/describe_nodes.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <utility>
#include <vector>

#include "framework/core/suggest.h"
#include "runtime/option_json.h"

namespace sluice {
namespace {

using Row = std::vector<std::string>;

// A longer list of allowed words stands behind the explanation, so that the table stays readable.
constexpr std::size_t kWidestValue = 60;

// Columns as wide as their longest cell, two spaces apart; the last one is not padded.
std::string table(const std::vector<Row>& rows, const std::string& indent) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const Row& row : rows) {
    std::string line = indent;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line += std::string(widths[i] + 2 - row[i].size(), ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string type_of(const PortDeclaration& port) {
  if (port.kind == PortKind::kCustom && port.payload) return std::string(port.payload->name);
  return std::string(name_of(port.kind));
}

std::string notes_of(const PortDeclaration& port) {
  std::string out = port.doc;
  const auto add = [&](std::string_view note) {
    out += (out.empty() ? "" : " ") + ("(" + std::string(note) + ")");
  };
  if (port.dynamic) add("any number");
  if (port.optional) add("may be left out");
  if (port.writes_in_place) add("edited in place");
  if (port.max_packets > 1) add("up to " + std::to_string(port.max_packets) + " per frame");
  return out;
}

std::string ports(const char* title, const std::deque<PortDeclaration>& declared) {
  if (declared.empty()) return {};
  std::vector<Row> rows;
  rows.reserve(declared.size());
  for (const PortDeclaration& port : declared) rows.push_back({port.name, type_of(port), notes_of(port)});
  return std::string(title) + "\n" + table(rows, "  ");
}

std::string shown(double number) { return nlohmann::json(number).dump(); }

std::string range_of(const OptionDeclaration& option) {
  const std::string unit = option.unit.empty() ? "" : " " + option.unit;
  const bool low = std::isfinite(option.min), high = std::isfinite(option.max);
  const auto bound = [](double v) {
    return v == std::floor(v) && std::fabs(v) < 1e15 ? std::to_string(std::llround(v)) : shown(v);
  };
  if (low && high) return bound(option.min) + ".." + bound(option.max) + unit;
  if (low) return ">= " + bound(option.min) + unit;
  if (high) return "<= " + bound(option.max) + unit;
  return option.unit;
}

std::string kind_of(const OptionDeclaration& option) {
  std::string choices = comma_list(option.choices);
  const std::string range = range_of(option);
  const auto with_range = [&](const std::string& kind) {
    const std::string numbers = range.empty() ? kind : kind + " " + range;
    return choices.empty() ? numbers : choices + " or " + numbers;
  };
  switch (option.kind) {
    case OptionKind::kBool:
      return "true, false";
    case OptionKind::kInteger:
      return with_range("whole number");
    case OptionKind::kNumber:
      return with_range("number");
    case OptionKind::kNumbers:
      return with_range("number or list");
    case OptionKind::kRate:
      return with_range("number > 0");
    case OptionKind::kChoice:
      return choices;
    case OptionKind::kText:
      return choices.empty() ? "text" : choices;
    case OptionKind::kPath:
    case OptionKind::kPathOut:
      return "path";
    case OptionKind::kUri:
      return "address or path";
    case OptionKind::kModel:
      return "name of a model";
    case OptionKind::kTexts:
      return choices.empty() ? "text or list" : "any of " + choices;
    case OptionKind::kNumberSet:
      return "text, whole number or list";
    case OptionKind::kTextsOrPath:
      return "list, or path of a text file";
    case OptionKind::kMap:
      return "map";
    case OptionKind::kMaps:
      return "list of maps";
  }
  return {};
}

std::string default_of(const OptionDeclaration& option) {
  if (option.required) return "required";
  if (option.fallback.is_null()) return "-";
  if (const auto* text = std::get_if<std::string>(&option.fallback.data)) return text->empty() ? "''" : *text;
  return to_json_value(option.fallback).dump();
}

void add_options(const std::string& prefix, const OptionDeclaration& option, std::vector<Row>& rows) {
  const std::string live = option.live ? " (can change while running)" : "";
  std::string value = kind_of(option), doc = option.doc + live;
  if (value.size() > kWidestValue) {
    doc += " Allowed: " + value + ".";
    value = "one word";
  }
  rows.push_back({prefix + option.name, std::move(value), default_of(option), std::move(doc)});
  for (const OptionDeclaration& child : option.children) add_options(prefix + option.name + ".", child, rows);
}

std::string options(const std::deque<OptionDeclaration>& declared) {
  if (declared.empty()) return {};
  std::vector<Row> rows = {{"option", "value", "default", ""}};
  for (const OptionDeclaration& option : declared) add_options("", option, rows);
  return "options\n" + table(rows, "  ");
}

std::string thread_of(const NodeDeclaration& declaration) {
  switch (declaration.thread) {
    case ThreadKind::kWorker:
      return "a worker (computes only)";
    case ThreadKind::kOwn:
      return "its own (may wait for the outside world)";
    case ThreadKind::kLane:
      return "the lane of its accelerator";
  }
  return {};
}

}  // namespace

std::string list_nodes(const Registry& registry) {
  std::vector<Row> rows;
  for (const NodeDeclaration* type : registry.all()) rows.push_back({type->type, type->summary});
  return table(rows, "");
}

std::string describe_node(const NodeDeclaration& declaration) {
  const std::string on_error = !declaration.on_error.empty() ? declaration.on_error
                               : declaration.sink            ? "stop"
                                                             : "drop";
  return declaration.type + ": " + declaration.summary + "\n" + ports("inputs", declaration.inputs) +
         ports("outputs", declaration.outputs) + options(declaration.options) +
         "thread: " + thread_of(declaration) + "\non_error: " + on_error + "\n";
}

}  // namespace sluice
