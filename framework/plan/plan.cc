#include "framework/plan/plan.h"

#include <algorithm>

#include "framework/plan/check_htp.h"
#include "framework/plan/choose_devices.h"
#include "framework/plan/draft.h"

namespace sluice {
namespace {

PlanResult finish(planning::Draft& draft) {
  std::stable_sort(draft.issues.begin(), draft.issues.end(), [](const Issue& a, const Issue& b) {
    return std::pair(a.mark.line, a.mark.column) < std::pair(b.mark.line, b.mark.column);
  });
  const bool failed = draft.failed();
  return {failed ? nullptr : std::shared_ptr<const Plan>(std::move(draft.plan)), std::move(draft.issues)};
}

}  // namespace

PlanResult make_plan(const GraphSpec& spec, const PlanInputs& inputs) {
  planning::Draft draft{.spec = spec, .inputs = inputs};
  draft.plan->file = spec.file;
  draft.plan->directory = spec.directory;
  draft.plan->name = spec.name;

  planning::read_sections(draft);
  planning::list_models(draft);
  planning::read_nodes(draft);
  planning::link_nodes(draft);
  planning::check_graph(draft);
  planning::check_sinks(draft);
  planning::decide_mode(draft);
  planning::check_htp(draft);
  planning::check_infer(draft);
  if (draft.failed()) return finish(draft);

  planning::read_models(draft);
  if (draft.failed()) return finish(draft);
  planning::list_choices(draft);
  if (draft.failed()) return finish(draft);
  planning::type_nodes(draft);
  if (draft.failed()) return finish(draft);
  planning::choose_devices(draft);
  planning::size_flow(draft);
  if (draft.failed()) return finish(draft);
  planning::size_pools(draft);
  return finish(draft);
}

}  // namespace sluice
