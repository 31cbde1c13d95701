// What reading the sensors once a second costs, in per cent of a core: user and system time of this thread,
// on this machine's /sys and /proc and on the unpacked tree of a phone. The bar is 0.2 %.
//   bench_telemetry [samples]
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>

#include "inference/telemetry/sysfs_telemetry.h"
#include "tests/inference/telemetry/fixture_tree.h"

namespace sluice::bench {
namespace {

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void measure(const char* name, const std::string& root, int samples) {
  SysfsTelemetry telemetry(root);
  telemetry.sample(0);
  const double start = cpu_seconds();
  for (int i = 1; i <= samples; ++i) telemetry.sample(from_s(i));
  const double each = (cpu_seconds() - start) / samples;
  std::printf("%-20s %3zu sensors  %7.1f us per sample  %.4f %% of a core at 1 Hz\n", name,
              telemetry.sensors().size(), each * 1e6, each * 100);
}

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) {
  const int samples = argc > 1 ? std::atoi(argv[1]) : 2000;
  const sluice::testing::FixtureTree phone("android_snapdragon");
  sluice::bench::measure("this machine", "", samples);
  sluice::bench::measure("android_snapdragon", phone.root(), samples);
  return 0;
}
