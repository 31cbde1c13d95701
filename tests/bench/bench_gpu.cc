// The gpu backend against ONNX Runtime's CPU provider, one thread each, in one run: ratios, kernels, memory.
//   bench_gpu [--profile] [NAME ...]     of tests/backends/gpu/zoo.cc; default: all
// Rounds are interleaved, so that what else the machine does touches all alike; beside the time of the clock
// stands the processor time of the whole process, which a busy machine disturbs less.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "tests/backends/gpu/zoo.h"

namespace {

using namespace sluice;
using namespace sluice::testing;
using Clock = std::chrono::steady_clock;

constexpr int kRounds = 15;
constexpr double kRoundMs = 60;

struct Took {
  double ms = 0, processor_ms = 0;
};

Took one_of(Loaded& model, const std::vector<HostTensor>& inputs, int runs) {
  const auto start = Clock::now();
  const std::clock_t processor = std::clock();
  for (int i = 0; i < runs; ++i) static_cast<void>(model.run(inputs));
  return {std::chrono::duration<double, std::milli>(Clock::now() - start).count() / runs,
          1e3 * static_cast<double>(std::clock() - processor) / CLOCKS_PER_SEC / runs};
}

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

// What each kernel takes, of one run; the plugin tells when the session ends.
void profile(const ZooModel& entry) {
  {
    auto gpu = Loaded::load(zoo_bytes(entry), Where::kGpu, {{"profile", "1"}}, true);
    if (!gpu.ok()) return;
    ort::forget_warnings();
    one_of(*gpu, {zoo_input(entry, gpu->input_name(), 1)}, 1);
  }
  std::printf("%s\n", ort::recent_warnings().c_str());
}

struct Contender {
  const char* name;
  Loaded model;
  gpu::PluginCounts counts;
  std::vector<double> ms, processor_ms;
  int runs = 1;
};

bool compare(const ZooModel& entry) {
  const std::string model = zoo_bytes(entry);
  std::vector<Contender> contenders;
  const auto add = [&](const char* name, Where where, const Loaded::Options& options) {
    auto loaded = Loaded::load(model, where, options, true);
    if (!loaded.ok()) {
      std::printf("%s: %s: %s\n", entry.name.c_str(), name, loaded.status().message().c_str());
      return false;
    }
    contenders.push_back({name, std::move(*loaded), plugin_counts(), {}, {}, 1});
    return true;
  };
  if (!add("cpu provider", Where::kCpu, {}) || !add("gpu, tuned set", Where::kGpu, {}) ||
      !add("gpu, float4 set", Where::kGpu, {{"kernels", "float4"}}))
    return false;
  const std::vector inputs{zoo_input(entry, contenders[0].model.input_name(), 1)};
  for (Contender& c : contenders) {
    one_of(c.model, inputs, 2);
    c.runs =
        std::max(1, static_cast<int>(kRoundMs / std::max(one_of(c.model, inputs, 1).processor_ms, 1e-3)));
  }
  for (int round = 0; round < kRounds; ++round)
    for (Contender& c : contenders) {
      const Took took = one_of(c.model, inputs, c.runs);
      c.ms.push_back(took.ms);
      c.processor_ms.push_back(took.processor_ms);
    }
  std::printf("%s\n", entry.name.c_str());
  const double cpu = median(contenders[0].ms), cpu_processor = median(contenders[0].processor_ms);
  for (Contender& c : contenders) {
    std::printf("  %-16s %9.3f ms  ratio %5.2f  processor %9.3f ms  ratio %5.2f", c.name, median(c.ms),
                median(c.ms) / cpu, median(c.processor_ms), median(c.processor_ms) / cpu_processor);
    if (c.counts.kernels > 0 && &c != &contenders[0])
      std::printf("  %3llu kernels  activations %.2f of %.2f MB (%.2f)",
                  static_cast<unsigned long long>(c.counts.kernels),
                  static_cast<double>(c.counts.arena) / 1e6, static_cast<double>(c.counts.unshared) / 1e6,
                  static_cast<double>(c.counts.arena) / static_cast<double>(c.counts.unshared));
    std::printf("\n");
  }
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  ::setenv("POCL_MAX_PTHREAD_COUNT", "1", 0);
  if (const Status status = gpu_available(); !status.ok()) {
    std::fprintf(stderr, "bench_gpu: %s\n", status.message().c_str());
    return 1;
  }
  std::vector<std::string> names(arguments + 1, arguments + count);
  const bool profiled = std::erase(names, "--profile") > 0;
  bool good = true;
  for (const ZooModel& model : zoo())
    if (names.empty() || std::ranges::find(names, model.name) != names.end()) {
      good = compare(model) && good;
      if (profiled) profile(model);
    }
  return good ? 0 : 1;
}
