#include "backends/gpu/plan/memory.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace sluice::gpu {
namespace {

struct Lifetime {
  int first = std::numeric_limits<int>::max();
  int last = -1;
  void touch(int at) {
    first = std::min(first, at);
    last = std::max(last, at);
  }
  bool overlaps(const Lifetime& other) const { return first <= other.last && other.first <= last; }
};

std::vector<Lifetime> lifetimes(const Recipe& recipe) {
  std::vector<Lifetime> out(recipe.slots.size());
  const auto touch = [&out](SlotId slot, int at) { out[static_cast<std::size_t>(slot)].touch(at); };
  for (const Edge& input : recipe.inputs) touch(input.slot, -1);
  for (std::size_t i = 0; i < recipe.launches.size(); ++i)
    for (const Argument& argument : recipe.launches[i].arguments) {
      if (const auto* reads = std::get_if<Reads>(&argument)) touch(reads->slot, static_cast<int>(i));
      if (const auto* writes = std::get_if<Writes>(&argument)) touch(writes->slot, static_cast<int>(i));
    }
  for (const Edge& output : recipe.outputs) touch(output.slot, static_cast<int>(recipe.launches.size()));
  return out;
}

struct Placed {
  std::size_t offset, end, slot;
};

}  // namespace

MemoryPlan plan_memory(const Recipe& recipe, std::size_t alignment) {
  const std::vector<Lifetime> lives = lifetimes(recipe);
  const auto rounded = [&](std::size_t slot) {
    return (recipe.slots[slot].bytes + alignment - 1) / alignment * alignment;
  };
  std::vector<std::size_t> order(recipe.slots.size());
  std::iota(order.begin(), order.end(), 0);
  std::erase_if(order, [&](std::size_t slot) {
    return !recipe.slots[slot].constant.empty() || lives[slot].last < lives[slot].first;
  });
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return rounded(a) > rounded(b); });
  MemoryPlan plan{.offsets = std::vector<std::size_t>(recipe.slots.size(), 0), .arena = 0, .unshared = 0};
  std::vector<Placed> placed;  // by offset
  for (const std::size_t slot : order) {
    const std::size_t size = rounded(slot);
    std::size_t at = 0;
    for (const Placed& other : placed) {
      if (!lives[slot].overlaps(lives[other.slot])) continue;
      if (at + size <= other.offset) break;
      at = std::max(at, other.end);
    }
    const Placed here{at, at + size, slot};
    placed.insert(std::ranges::upper_bound(placed, here.offset, {}, &Placed::offset), here);
    plan.offsets[slot] = at;
    plan.arena = std::max(plan.arena, here.end);
    plan.unshared += size;
  }
  return plan;
}

}  // namespace sluice::gpu
