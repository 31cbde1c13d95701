#include "backends/gpu/plan/tuning.h"

#include <sstream>

namespace sluice::gpu {
namespace {

constexpr std::size_t kMostLaunches = 100'000;
constexpr std::size_t kLargestGroup = 1 << 16;

}  // namespace

std::string text_of(const Tuning& tuning) {
  std::ostringstream out;
  out << tuning.lanes << ' ' << tuning.groups.size();
  for (const auto& group : tuning.groups) out << ' ' << group[0] << ' ' << group[1];
  return out.str();
}

std::optional<Tuning> read_tuning(std::string_view text) {
  std::istringstream in{std::string(text)};
  Tuning out;
  std::size_t count = 0;
  if (!(in >> out.lanes >> count) || (out.lanes != 4 && out.lanes != 16) || count > kMostLaunches) return {};
  for (std::size_t i = 0; i < count; ++i) {
    std::array<std::size_t, 2> group{};
    if (!(in >> group[0] >> group[1])) return {};
    for (const std::size_t items : group)
      if (items == 0 || items > kLargestGroup) return {};
    out.groups.push_back(group);
  }
  return out;
}

std::string signature_of(const Recipe& recipe) {
  std::ostringstream out;
  out << recipe.lanes << (recipe.half ? " fp16" : " fp32");
  for (const Launch& launch : recipe.launches) {
    out << '\n' << launch.kernel << ' ' << launch.lanes;
    for (const std::size_t items : launch.global) out << ' ' << items;
    for (const Argument& argument : launch.arguments)
      if (const auto* number = std::get_if<std::int32_t>(&argument)) out << ' ' << *number;
  }
  return out.str();
}

bool apply(const Tuning& tuning, Recipe& recipe) {
  if (tuning.lanes != recipe.lanes || tuning.groups.size() != recipe.launches.size()) return false;
  for (std::size_t i = 0; i < tuning.groups.size(); ++i) {
    const Launch& launch = recipe.launches[i];
    if (launch.global[1] % tuning.groups[i][1] != 0) return false;
    if (launch.group_fixed && launch.group != tuning.groups[i]) return false;
  }
  for (std::size_t i = 0; i < tuning.groups.size(); ++i) recipe.launches[i].group = tuning.groups[i];
  return true;
}

}  // namespace sluice::gpu
