// The gpu backend against ONNX Runtime's CPU provider, one thread each, in one run: ratios, kernels, memory.
//   bench_gpu [NAME ...]     of tests/backends/gpu/zoo.cc; default: all
// Rounds are interleaved, so that what else the machine does touches all alike.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/backends/gpu/zoo.h"

namespace {

using namespace sluice;
using namespace sluice::testing;
using Clock = std::chrono::steady_clock;

constexpr int kRounds = 15;
constexpr double kRoundMs = 60;

double ms_of_one(Loaded& model, const std::vector<HostTensor>& inputs, int runs) {
  const auto start = Clock::now();
  for (int i = 0; i < runs; ++i) static_cast<void>(model.run(inputs));
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count() / runs;
}

struct Contender {
  const char* name;
  Loaded model;
  gpu::PluginCounts counts;
  std::vector<double> ms;
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
    contenders.push_back({name, std::move(*loaded), plugin_counts(), {}, 1});
    return true;
  };
  if (!add("cpu provider", Where::kCpu, {}) || !add("gpu, tuned set", Where::kGpu, {}) ||
      !add("gpu, float4 set", Where::kGpu, {{"kernels", "float4"}}))
    return false;
  const std::vector inputs{zoo_input(entry, contenders[0].model.input_name(), 1)};
  for (Contender& c : contenders) {
    ms_of_one(c.model, inputs, 2);
    c.runs = std::max(1, static_cast<int>(kRoundMs / std::max(ms_of_one(c.model, inputs, 1), 1e-3)));
  }
  for (int round = 0; round < kRounds; ++round)
    for (Contender& c : contenders) c.ms.push_back(ms_of_one(c.model, inputs, c.runs));
  std::printf("%s\n", entry.name.c_str());
  double cpu = 0;
  for (Contender& c : contenders) {
    std::ranges::nth_element(c.ms, c.ms.begin() + kRounds / 2);
    const double median = c.ms[kRounds / 2];
    if (cpu == 0) cpu = median;
    std::printf("  %-16s %9.3f ms  ratio %5.2f", c.name, median, median / cpu);
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
  const std::vector<std::string> names(arguments + 1, arguments + count);
  bool good = true;
  for (const ZooModel& model : zoo())
    if (names.empty() || std::ranges::find(names, model.name) != names.end()) good = compare(model) && good;
  return good ? 0 : 1;
}
