// The gpu backend against ONNX Runtime's CPU provider, one thread each, in one run: ratios, kernels, memory.
//   bench_gpu [MODEL.onnx ...]     default: the two BlazeFace models
// Rounds are interleaved, so that what else the machine does touches all alike.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "tests/backends/gpu/runner.h"

namespace {

using namespace sluice;
using namespace sluice::testing;
using Clock = std::chrono::steady_clock;

constexpr int kRounds = 15;
constexpr double kRoundMs = 60;

std::string bytes_of(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

std::vector<HostTensor> noise_for(Ort::Session& session) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<HostTensor> out;
  Ort::AllocatorWithDefaultOptions allocator;
  for (std::size_t i = 0; i < session.GetInputCount(); ++i) {
    auto dims = session.GetInputTypeInfo(i).GetTensorTypeAndShapeInfo().GetShape();
    std::size_t count = 1;
    for (auto& dim : dims) count *= static_cast<std::size_t>(dim = std::max<std::int64_t>(dim, 1));
    std::vector<float> values(count);
    for (float& value : values) value = uniform(random);
    out.push_back(HostTensor::floats(session.GetInputNameAllocated(i, allocator).get(), dims, values));
  }
  return out;
}

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

bool compare(const std::string& path) {
  const std::string model = bytes_of(path);
  std::vector<Contender> contenders;
  const auto add = [&](const char* name, Where where, const Loaded::Options& options) {
    auto loaded = Loaded::load(model, where, options, true);
    if (!loaded.ok()) {
      std::printf("%s: %s: %s\n", path.c_str(), name, loaded.status().message().c_str());
      return false;
    }
    contenders.push_back({name, std::move(*loaded), plugin_counts(), {}, 1});
    return true;
  };
  if (!add("cpu provider", Where::kCpu, {}) || !add("gpu, tuned set", Where::kGpu, {}) ||
      !add("gpu, float4 set", Where::kGpu, {{"kernels", "float4"}}))
    return false;
  const auto inputs = noise_for(contenders[0].model.session());
  for (Contender& c : contenders) {
    ms_of_one(c.model, inputs, 2);
    c.runs = std::max(1, static_cast<int>(kRoundMs / std::max(ms_of_one(c.model, inputs, 1), 1e-3)));
  }
  for (int round = 0; round < kRounds; ++round)
    for (Contender& c : contenders) c.ms.push_back(ms_of_one(c.model, inputs, c.runs));
  std::printf("%s\n", std::filesystem::path(path).filename().c_str());
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
  std::vector<std::string> models(arguments + 1, arguments + count);
  if (models.empty())
    models = {"data/models/face_detection_front_128x128.onnx",
              "data/models/face_detection_back_256x256.onnx"};
  bool good = true;
  for (const std::string& model : models) good = compare(model) && good;
  return good ? 0 : 1;
}
