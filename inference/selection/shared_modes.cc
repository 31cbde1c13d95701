#include "inference/selection/shared_modes.h"

#include <algorithm>
#include <string>
#include <vector>

#include "framework/node/htp_section.h"

namespace sluice {
namespace {

// The fastest is 0.
std::ptrdiff_t rank_of(std::string_view mode) {
  const std::vector<std::string>& modes = htp_performance_modes();
  return std::ranges::find(modes, mode) - modes.begin();
}

bool has(const SessionUser& user, std::string_view mode) {
  const SelectorCandidate& wanted = user.candidates[user.wanted];
  return std::ranges::any_of(user.candidates, [&](const SelectorCandidate& c) {
    return c.backend == wanted.backend && c.variant == wanted.variant && c.performance_mode == mode;
  });
}

}  // namespace

std::string_view faster_mode(std::string_view a, std::string_view b) {
  return rank_of(a) <= rank_of(b) ? a : b;
}

std::size_t candidate_that_holds(std::span<const SessionUser> users, std::string_view least_mode) {
  std::string_view fastest = least_mode;
  for (const SessionUser& user : users)
    fastest = faster_mode(user.candidates[user.wanted].performance_mode, fastest);
  const SessionUser& first = users.front();
  const SelectorCandidate& wanted = first.candidates[first.wanted];
  std::size_t slowest = first.wanted, quickest = first.wanted;
  bool enough = false, any = false;
  for (std::size_t c = 0; c < first.candidates.size(); ++c) {
    const SelectorCandidate& one = first.candidates[c];
    if (one.backend != wanted.backend || one.variant != wanted.variant) continue;
    if (!std::ranges::all_of(users, [&](const SessionUser& u) { return has(u, one.performance_mode); }))
      continue;
    const std::ptrdiff_t rank = rank_of(one.performance_mode);
    if (rank <= rank_of(fastest) && (!enough || rank > rank_of(first.candidates[slowest].performance_mode))) {
      slowest = c;
      enough = true;
    }
    if (!any || rank < rank_of(first.candidates[quickest].performance_mode)) quickest = c;
    any = true;
  }
  return enough ? slowest : quickest;
}

}  // namespace sluice
