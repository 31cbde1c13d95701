// Nodes that share a session share its performance mode: which one holds.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "inference/selector/candidate.h"

namespace sluice {

// One of them: what it may run on, and what it would if the session were its own.
struct SessionUser {
  std::span<const SelectorCandidate> candidates;
  std::size_t wanted = 0;
};

// A candidate of the first of `users`, on the session that it wants: in the slowest mode that all of them
// have and that is as fast as each of them wants, and as `least_mode`, for others who choose nothing ("":
// there are none). Where there is none such, the fastest that all have. No allocation.
std::size_t candidate_that_holds(std::span<const SessionUser> users, std::string_view least_mode = {});

// The faster of two modes of htp, by their names; "": slower than all.
std::string_view faster_mode(std::string_view a, std::string_view b);

}  // namespace sluice
