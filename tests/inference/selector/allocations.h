// Counts the calls of operator new in the program that links allocations.cc.
#pragma once

namespace sluice::testing {

long allocations();

}  // namespace sluice::testing
