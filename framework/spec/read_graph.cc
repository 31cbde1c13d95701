#include <array>
#include <string_view>

#include "framework/core/suggest.h"
#include "framework/spec/fields.h"
#include "framework/spec/read.h"

namespace sluice {
namespace {

constexpr std::array<std::string_view, 8> kKeys = {"version", "name",     "models",   "nodes",
                                                   "flow",    "selector", "backends", "device"};
constexpr std::array<std::string_view, 3> kFlowKeys = {"mode", "max_in_flight", "deadline_ms"};
constexpr std::array<std::string_view, 2> kModes = {"realtime", "lossless"};
constexpr std::int64_t kVersion = 1;
constexpr std::int64_t kMostInFlight = 1024;

void check_version(const Fields& file) {
  file.require("version", "write 'version: 1'");
  const Value* const version = file.find("version");
  if (!version) return;
  const auto* const number = std::get_if<std::int64_t>(&version->data);
  if (!number || *number != kVersion) {
    file.issue(version->mark, "'version' is " + describe(*version) + ", allowed: 1");
  }
}

FlowSpec read_flow(const Value& value, Issues& issues) {
  const Fields fields(value, "flow", issues);
  fields.only(kFlowKeys);
  FlowSpec flow;
  if (const Value* const mode = fields.find("mode")) {
    flow.mode = fields.choice("mode", kModes);
    flow.mode_mark = mode->mark;
  }
  if (const Value* const most = fields.find("max_in_flight")) {
    flow.max_in_flight_mark = most->mark;
    const auto* const number = std::get_if<std::int64_t>(&most->data);
    if (number && *number >= 1 && *number <= kMostInFlight) {
      flow.max_in_flight = static_cast<int>(*number);
    } else if (!most->text() || *most->text() != "auto") {
      fields.wrong("max_in_flight", *most,
                   "'auto' or a whole number from 1 to " + std::to_string(kMostInFlight));
    }
  }
  if (const Value* const deadline = fields.find("deadline_ms")) {
    flow.deadline_mark = deadline->mark;
    flow.deadline_ms = fields.at_least("deadline_ms", 0, "milliseconds").value_or(0);
  }
  return flow;
}

}  // namespace

void read_graph(const Value& root, GraphSpec& spec, Issues& issues) {
  if (!root.map()) {
    issues.push_back(
        {root.mark, "a pipeline file is a map with 'version' and 'nodes', this is " + describe(root)});
    return;
  }
  const Fields file(root, "", issues);
  file.only(kKeys);
  check_version(file);
  if (auto name = file.text("name")) spec.name = *std::move(name);
  if (const Value* const models = file.map("models")) spec.models = read_models(*models, issues);
  file.require("nodes", "write the list of nodes");
  if (const Value* const nodes = file.find("nodes")) spec.nodes = read_nodes(*nodes, issues);
  if (const Value* const flow = file.map("flow")) spec.flow = read_flow(*flow, issues);
  if (const Value* const selector = file.map("selector")) spec.selector = *selector;
  if (const Value* const backends = file.map("backends")) spec.backends = *backends;
  if (const Value* const device = file.map("device")) spec.device = *device;
}

}  // namespace sluice
