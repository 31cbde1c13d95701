// Nodes that go wrong on demand, for runs of whole pipelines.
#pragma once

#include "framework/node/registry.h"

namespace sluice::testing {

// The built-in nodes and
//   fault, fault_own (worker; own thread)  in: anything -> out: the same. Options: `does` (none, throw,
//     throw_int, throw_bad_alloc, fail, nothing, hang, slow, drop, leak), `at` (first frame it does it at),
//     `times` (for how many frames; -1: all), `ms` (slow: of the n-th such frame, or the last)
//   stuck_source  -> frame: gray pictures of 16 x 16; after `frames` of them `next` does not come back
Registry registry_with_faults();

// Whatever hangs in a fault node comes back. Called by the tests before they end.
void release_hung();
// Packets that nodes told to `leak` keep: gives them back, and says how many there were.
int give_back_kept();
// Until so many threads hang.
void wait_for_hung(int threads);

}  // namespace sluice::testing
