#include "runtime/process_stats.h"

#include <sys/resource.h>

#include <cstdio>

#include "runtime/allocation_counter.h"

namespace sluice {
namespace {

double seconds(const timeval& t) {
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
}

// From /proc, because getrusage's ru_maxrss also remembers the program that started this one.
void read_memory(ProcessStats& out) {
  std::FILE* file = std::fopen("/proc/self/status", "re");
  if (!file) return;
  char line[256];
  while (std::fgets(line, sizeof line, file)) {
    long kib = 0;
    if (std::sscanf(line, "VmHWM: %ld", &kib) == 1) out.peak_rss_mb = static_cast<double>(kib) * 1024 / 1e6;
    if (std::sscanf(line, "VmRSS: %ld", &kib) == 1) out.rss_mb = static_cast<double>(kib) * 1024 / 1e6;
  }
  std::fclose(file);
}

}  // namespace

ProcessStats read_process_stats() {
  ProcessStats out;
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    out.cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    out.page_faults =
        static_cast<std::uint64_t>(usage.ru_minflt) + static_cast<std::uint64_t>(usage.ru_majflt);
  }
  read_memory(out);
  const AllocationCounts& counts = allocation_counts();
  if (counts.active) {
    out.own_allocations = counts.own.load();
    out.total_allocations = counts.total.load();
  }
  return out;
}

}  // namespace sluice
