// Any bytes as a pipeline of the test registry's node types: a plan whose indices hold, or errors; never a
// crash.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "tests/framework/plan/plan_testing.h"

namespace {

std::optional<std::string> no_environment(std::string_view) { return std::nullopt; }

void require(bool promise) {
  if (!promise) std::abort();
}

void check_edge(const sluice::Plan& plan, const sluice::PlanEdge& e) {
  const auto nodes = static_cast<int>(plan.nodes.size());
  require(e.from_node >= 0 && e.from_node < nodes && e.to_node >= 0 && e.to_node < nodes);
  const sluice::NodePlan& from = plan.nodes[static_cast<std::size_t>(e.from_node)];
  require(e.from_output >= 0 && e.from_output < static_cast<int>(from.outputs.size()) && e.capacity >= 0);
  for (const sluice::NodeRoute& route : from.routes) require(route.outputs.size() == from.outputs.size());
}

void check_plan(const sluice::Plan& plan) {
  for (const sluice::PlanEdge& e : plan.edges) check_edge(plan, e);
  for (const sluice::NodePlan& n : plan.nodes) {
    require(n.source >= 0 && n.unit >= 0 && n.unit < static_cast<int>(plan.units.size()));
    require(!n.routes.empty() && n.concurrency >= 1);
  }
  for (const sluice::SourcePlan& s : plan.sources) require(s.credits >= 1 && s.slots >= s.credits);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const sluice::ParsedSpec parsed = sluice::parse_spec_text(text, "fuzz.yaml", ".", no_environment);
  const sluice::PlanResult result = sluice::make_plan(parsed.spec, sluice::testing::plan_inputs());
  bool errors = false;
  for (const sluice::Issue& issue : result.issues) {
    require(sluice::format(parsed.spec.file, issue).find('\n') == std::string::npos);
    errors = errors || !issue.warning;
  }
  require(!(errors && result.plan));
  if (result.plan && parsed.ok()) check_plan(*result.plan);
  return 0;
}
