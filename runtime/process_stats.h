// What the operating system says of this process.
#pragma once

#include <cstdint>
#include <optional>

namespace sluice {

struct ProcessStats {
  double cpu_s = 0;  // user + system, all threads
  std::optional<double> rss_mb;
  std::optional<double> peak_rss_mb;
  std::optional<std::uint64_t> page_faults;  // all threads
  std::optional<std::uint64_t> own_allocations;
  std::optional<std::uint64_t> total_allocations;
};

ProcessStats read_process_stats();

}  // namespace sluice
