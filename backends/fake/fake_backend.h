// `fake`: no model runs. It takes the time and shows the faults that its options say, for tests and
// demonstrations.
#pragma once

#include <cstdint>
#include <memory>

#include "framework/core/clock.h"
#include "inference/inference.h"

namespace sluice {

// The stamp: the first elements of the first output, where it has at least that many. Whole numbers as they
// are in integer tensors, divided by 1024 in floating-point ones (small, so that a decoder does not take them
// for a finding). Each is reduced modulo 101, which fits every element type; bool and smaller outputs carry
// no stamp. All other elements are 0 (the zero point, where the output is quantised).
struct FakeStamp {
  static constexpr std::size_t kElements = 4;
  static constexpr std::uint64_t kBackend = 77;  // element 0: this is fake
  static constexpr std::uint64_t kModulus = 101;
  std::uint64_t variant = 0;     // element 1: fnv1a of the variant's name
  std::uint64_t generation = 0;  // element 2: the session's number within its run
  std::uint64_t run = 0;         // element 3: the run's number within its session, from 0
};
std::uint64_t fake_variant_hash(std::string_view variant);

// Reads the model's header only; needs no inference engine. A run waits on `clock` for latency_ms, spread
// evenly by jitter_ms to both sides (deterministic by `seed`), without computing; under a manual clock it
// returns at once. Runs count from 0 per session: those in fail_at fail, those in hang_at wait until they are
// given up (manual clock: answer kTimeout), those in nan_at write NaN. `clock` outlives the sessions.
std::unique_ptr<Backend> make_fake_backend(Clock& clock);

}  // namespace sluice
