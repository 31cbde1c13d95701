// Nodes that go wrong on demand, for runs of whole pipelines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "framework/core/clock.h"
#include "framework/node/registry.h"

namespace sluice::testing {

// The built-in nodes and
//   fault, fault_own (worker; own thread)  in: anything -> out: the same. Options: `does` (none, throw,
//     throw_int, throw_bad_alloc, fail, nothing, hang, slow, drop, leak), `at` (first frame it does it at),
//     `times` (for how many frames; -1: all), `ms` (slow: of the n-th such frame, or the last)
//   overtaken     in: pictures -> read, other: detections, as many frames at once as there are cores; the
//     first waits until `others` frames have left before it makes anything
//   watch         in: anything, drives it; newest: anything, read through `sync: latest`. A sink, see
//   take_seen stuck_source  -> frame: gray pictures of 16 x 16, those in `corrupt_at` (rising) corrupt; after
//   `frames` of them `next` does not come back
Registry registry_with_faults();

// Whatever hangs in a fault node comes back. Called by the tests before they end.
void release_hung();
// Packets that nodes told to `leak` keep: gives them back, and says how many there were.
int give_back_kept();
// One run of `watch`: its frame, and what its second input held.
struct Seen {
  std::uint64_t frame = 0;
  std::size_t packets = 0;
  std::uint64_t number = 0;  // of the frame that the first packet belongs to
  TimeNs age = 0;            // of that frame, since its capture
};
// What `watch` saw since the last call. One for all runs of a process, after their end.
std::vector<Seen> take_seen();
// Until so many threads hang.
void wait_for_hung(int threads);

}  // namespace sluice::testing
