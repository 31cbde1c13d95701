// What the plugin counts, for tests and benchmarks (ep/plugin.h hands it out).
#pragma once

#include <atomic>
#include <cstdint>

namespace sluice::gpu {

struct Counters {
  std::atomic<std::uint64_t> programs_built{0};   // from source
  std::atomic<std::uint64_t> programs_loaded{0};  // from the artefact cache
  std::atomic<std::uint64_t> unkept{0};           // entries that the artefact cache did not take
  std::atomic<std::uint64_t> bytes_copied{0};     // by runs, between host and device
  std::atomic<std::uint64_t> tuned{0};            // clusters made as tuning found it best
  // Of the cluster that was compiled last.
  std::atomic<std::uint64_t> kernels{0}, bytes_in{0}, bytes_out{0}, arena{0}, unshared{0}, constants{0};
};
// The process's; any thread.
Counters& counters();

}  // namespace sluice::gpu
