// Makes the k-th allocation of the process fail, whoever asks for it. Linked into test programs; malloc and
// its family where the C library lets us, `operator new` alone under sanitizers.
#pragma once

#include <cstdint>

namespace sluice::testing {

// From now on the k-th allocation (from 1) of any thread fails, once.
void fail_allocation(std::int64_t k);
// No more. True when one has failed.
bool stop_failing_allocations();
// How many were asked for since fail_allocation.
std::int64_t allocations_asked();

}  // namespace sluice::testing
