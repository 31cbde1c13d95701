#include "runtime/plan_layout.h"

#include <algorithm>
#include <string>

namespace sluice {
namespace {

constexpr double kCharacter = 7.5;  // of a 12 px monospace font
constexpr double kPadding = 12, kHeight = 44, kGapX = 90, kGapY = 24, kMargin = 20;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

// Longest paths by repeated relaxation; empty when the edges close a circle.
std::vector<int> layers_of(const Plan& plan, bool with_latest) {
  std::vector<int> layers(plan.nodes.size(), 0);
  for (std::size_t round = 0; round <= plan.nodes.size(); ++round) {
    bool moved = false;
    for (const PlanEdge& edge : plan.edges) {
      if (edge.latest && !with_latest) continue;
      if (layers[at(edge.to_node)] > layers[at(edge.from_node)]) continue;
      layers[at(edge.to_node)] = layers[at(edge.from_node)] + 1;
      moved = true;
    }
    if (!moved) return layers;
  }
  return {};
}

using Layer = std::vector<std::size_t>;

std::vector<Layer> group(const std::vector<int>& layers) {
  std::vector<Layer> out;
  for (std::size_t node = 0; node < layers.size(); ++node) {
    out.resize(std::max(out.size(), at(layers[node]) + 1));
    out[at(layers[node])].push_back(node);
  }
  return out;
}

void sort_by_feeders(const Plan& plan, std::vector<Layer>& layers) {
  std::vector<double> place(plan.nodes.size(), 0);
  for (Layer& layer : layers) {
    std::vector<double> mean(plan.nodes.size(), 0);
    for (const std::size_t node : layer) {
      double sum = 0, count = 0;
      for (const PlanEdge& edge : plan.edges) {
        if (at(edge.to_node) != node) continue;
        sum += place[at(edge.from_node)];
        ++count;
      }
      mean[node] = count > 0 ? sum / count : 0;
    }
    std::stable_sort(layer.begin(), layer.end(),
                     [&](std::size_t a, std::size_t b) { return mean[a] < mean[b]; });
    for (std::size_t i = 0; i < layer.size(); ++i) {
      place[layer[i]] = static_cast<double>(i) - static_cast<double>(layer.size() - 1) / 2;
    }
  }
}

double width_of(const NodePlan& node) {
  const std::size_t longest = std::max(node.id.size(), node.declaration->type.size());
  return static_cast<double>(longest) * kCharacter + 2 * kPadding;
}

}  // namespace

PlanLayout lay_out_plan(const Plan& plan) {
  std::vector<int> numbers = layers_of(plan, true);
  if (numbers.empty()) numbers = layers_of(plan, false);
  std::vector<Layer> layers = group(numbers);
  sort_by_feeders(plan, layers);

  std::size_t tallest = 0;
  for (const Layer& layer : layers) tallest = std::max(tallest, layer.size());
  PlanLayout out;
  out.boxes.resize(plan.nodes.size());
  out.height = 2 * kMargin + static_cast<double>(tallest) * (kHeight + kGapY) - kGapY;
  double x = kMargin;
  for (const Layer& layer : layers) {
    double width = 0;
    for (const std::size_t node : layer) width = std::max(width, width_of(plan.nodes[node]));
    double y = (out.height - static_cast<double>(layer.size()) * (kHeight + kGapY) + kGapY) / 2;
    for (const std::size_t node : layer) {
      out.boxes[node] = {x, y, width, kHeight};
      y += kHeight + kGapY;
    }
    x += width + kGapX;
  }
  out.width = x - kGapX + kMargin;
  return out;
}

}  // namespace sluice
