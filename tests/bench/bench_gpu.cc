// The gpu backend against ONNX Runtime's CPU provider, one thread each, in one run: ratios, kernels, memory.
//   bench_gpu [--profile] [--open] [NAME ...]     of tests/backends/gpu/zoo.cc; default: all
// With --open only what opening costs.
// Rounds are interleaved, so that what else the machine does touches all alike; beside the time of the clock
// stands the processor time of the whole process, which a busy machine disturbs less. Then what a session
// costs to open when its programs are in the caches, and what a run costs beside the device's work: measured
// in a process of its own (--host NAME) over a libOpenCL that computes nothing.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <optional>
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
  for (int i = 0; i < runs; ++i) {
    // One that fails would be timed as very fast.
    if (const auto ran = model.run(inputs); !ran.ok()) {
      std::fprintf(stderr, "a run failed: %s\n", ran.status().message().c_str());
      std::exit(1);
    }
  }
  return {std::chrono::duration<double, std::milli>(Clock::now() - start).count() / runs,
          1e3 * static_cast<double>(std::clock() - processor) / CLOCKS_PER_SEC / runs};
}

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

// What each kernel takes, of one run; the plugin tells when the session ends.
void profile(const ZooModel& entry, const char* kernels) {
  {
    auto gpu = Loaded::load(zoo_bytes(entry), Where::kGpu, {{"profile", "1"}, {"kernels", kernels}}, true);
    if (!gpu.ok()) return;
    ort::forget_warnings();
    one_of(*gpu, {zoo_input(entry, gpu->input_name(), 1)}, 1);
  }
  std::printf("  kernels '%s':\n%s\n", kernels, ort::recent_warnings().c_str());
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
  if (!add("cpu provider", Where::kCpu, {}) || !add("gpu, tuned set", Where::kGpu, {{"tune", "1"}}) ||
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

// A first session fills the artefact cache; the others compile nothing.
void open_warm(const ZooModel& entry) {
  constexpr int kSessions = 9;
  const std::string model = zoo_bytes(entry);
  std::vector<double> ms, processor_ms;
  std::uint64_t built = 0;
  for (int i = 0; i <= kSessions; ++i) {
    const auto start = Clock::now();
    const std::clock_t processor = std::clock();
    auto gpu = Loaded::load(model, Where::kGpu, {}, true);
    if (!gpu.ok()) return;
    const double took = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
    const double worked = 1e3 * static_cast<double>(std::clock() - processor) / CLOCKS_PER_SEC;
    one_of(*gpu, {zoo_input(entry, gpu->input_name(), 1)}, 1);
    if (i == 0) built = plugin_counts().programs_built;
    if (i == 0) continue;
    ms.push_back(took);
    processor_ms.push_back(worked);
  }
  std::printf(
      "  a warm session opens in %.1f ms (best %.1f), processor %.1f ms; programs built for it: %llu\n",
      median(ms), *std::ranges::min_element(ms), median(processor_ms),
      static_cast<unsigned long long>(plugin_counts().programs_built - built));
}

// Of this process: its libOpenCL computes nothing.
bool host_cost(const ZooModel& entry) {
  constexpr int kRuns = 2000;
  auto gpu = Loaded::load(zoo_bytes(entry), Where::kGpu, {}, true);
  if (!gpu.ok()) {
    std::printf("%s\n", gpu.status().message().c_str());
    return false;
  }
  const std::vector inputs{zoo_input(entry, gpu->input_name(), 1)};
  one_of(*gpu, inputs, kRuns / 10);
  const double us = 1e3 * one_of(*gpu, inputs, kRuns).processor_ms;
  const auto kernels = static_cast<double>(plugin_counts().kernels);
  std::printf("  beside the device's work a run takes %.1f us: %.2f us for each of %.0f kernels\n", us,
              us / kernels, kernels);
  return true;
}

void measure_host_cost(const ZooModel& entry, const std::string& program) {
  std::fflush(stdout);
  const std::string command =
      std::string("SLUICE_ARTIFACTS=off SLUICE_OPENCL='" SLUICE_FAKE_OPENCL_LIBRARY "' '") + program +
      "' --host " + entry.name;
  if (std::system(command.c_str()) != 0) std::printf("  the cost on the host was not measured\n");
}

// Programs are kept for this run of the benchmark alone.
class Artifacts {
 public:
  Artifacts() {
    path_ = (std::filesystem::temp_directory_path() / "sluice_bench_gpu_XXXXXX").string();
    if (::mkdtemp(path_.data())) ::setenv("SLUICE_ARTIFACTS", path_.c_str(), 1);
  }
  Artifacts(const Artifacts&) = delete;
  Artifacts& operator=(const Artifacts&) = delete;
  ~Artifacts() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

 private:
  std::string path_;
};

}  // namespace

int main(int count, char** arguments) {
  ::setenv("POCL_MAX_PTHREAD_COUNT", "1", 0);
  std::vector<std::string> names(arguments + 1, arguments + count);
  const bool profiled = std::erase(names, "--profile") > 0;
  const bool host = std::erase(names, "--host") > 0;
  const bool open = std::erase(names, "--open") > 0;
  std::optional<Artifacts> artifacts;
  if (!host) artifacts.emplace();
  if (const Status status = gpu_available(); !status.ok()) {
    std::fprintf(stderr, "bench_gpu: %s\n", status.message().c_str());
    return 1;
  }
  bool good = true;
  for (const ZooModel& model : zoo()) {
    if (!names.empty() && std::ranges::find(names, model.name) == names.end()) continue;
    if (host) {
      good = host_cost(model) && good;
      continue;
    }
    if (open) std::printf("%s\n", model.name.c_str());
    good = (open || compare(model)) && good;
    for (const char* kernels : {"auto", "float4"})
      if (profiled) profile(model, kernels);
    open_warm(model);
    if (open) continue;
    measure_host_cost(model, std::filesystem::read_symlink("/proc/self/exe").string());
  }
  return good ? 0 : 1;
}
