#include "runtime/process_stats.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

#include "runtime/allocation_counter.h"

namespace sluice {
namespace {

double seconds(const timeval& t) {
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
}

std::optional<double> resident_mb() {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (!file) return std::nullopt;
  long pages = 0;
  const int got = std::fscanf(file, "%*d %ld", &pages);
  std::fclose(file);
  if (got != 1) return std::nullopt;
  return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
}

}  // namespace

ProcessStats read_process_stats() {
  ProcessStats out;
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    out.cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    out.peak_rss_mb = static_cast<double>(usage.ru_maxrss) * 1024 / 1e6;  // KiB
  }
  out.rss_mb = resident_mb();
  const AllocationCounts& counts = allocation_counts();
  if (counts.active) {
    out.own_allocations = counts.own.load();
    out.total_allocations = counts.total.load();
  }
  return out;
}

}  // namespace sluice
