// Where the boxes of a plan's picture lie: layers from left to right, few crossings.
#pragma once

#include <vector>

#include "framework/plan/plan.h"

namespace sluice {

// Pixels; x, y: top left corner.
struct PlanBox {
  double x = 0, y = 0, width = 0, height = 0;
};

struct PlanLayout {
  std::vector<PlanBox> boxes;  // by node
  double width = 0, height = 0;
};

// A node's layer is its longest way from a source over all edges (over the exact ones alone should `latest`
// edges close a circle); within a layer nodes are sorted by the mean place of what feeds them.
PlanLayout lay_out_plan(const Plan& plan);

}  // namespace sluice
