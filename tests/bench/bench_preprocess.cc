// preprocess against OpenCV, one thread: 1080p NV12 -> RGB float tensors. Prints times and, from the fastest
// of the interleaved repetitions of this run, how many times as fast as each rival it is (demanded: planes
// first 1.1 for all sizes; textbook chain 3 for 300 and 1.7 for 640).
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "nodes/pixels/scaler.h"
#include "tests/bench/preprocess_rivals.h"

namespace sluice::bench {
namespace {

constexpr int kWidth = 1920;
constexpr int kHeight = 1080;
constexpr double kMean = 127.5;

// Seeded noise: no branch or cache line is predictable from its neighbours.
const std::vector<uint8_t>& pixels_1080p() {
  static const std::vector<uint8_t> bytes = [] {
    std::vector<uint8_t> made(static_cast<size_t>(kWidth) * kHeight * 3 / 2);
    std::mt19937 random(1);
    for (uint8_t& b : made) b = static_cast<uint8_t>(random());
    return made;
  }();
  return bytes;
}

Nv12Picture rival_picture() {
  const uint8_t* y = pixels_1080p().data();
  return {y, kWidth, y + static_cast<size_t>(kWidth) * kHeight, kWidth, kWidth, kHeight};
}

Image sluice_picture() {
  Image image;
  image.type = {PixelFormat::kNv12, kWidth, kHeight, {ColorMatrix::kBt601, ColorRange::kLimited}, 0};
  auto* y = const_cast<uint8_t*>(pixels_1080p().data());  // an Image is read-only once emitted
  image.planes = {y, y + static_cast<size_t>(kWidth) * kHeight, nullptr};
  image.strides = {kWidth, kWidth, 0};
  return image;
}

std::vector<float> tensor_of(int size) {
  return std::vector<float>(3 * static_cast<size_t>(size) * static_cast<size_t>(size));
}

void preprocess(benchmark::State& state, Layout layout) {
  pixels::Target target;
  target.width = target.height = static_cast<int>(state.range(0));
  target.layout = layout;
  target.mean = target.std = {kMean, kMean, kMean};
  auto scaler = pixels::PictureScaler::create(target);
  const Image image = sluice_picture();
  std::vector<float> out = tensor_of(target.width);
  for (auto _ : state) {
    const Status status = scaler->run(image, reinterpret_cast<std::byte*>(out.data()));
    if (!status.ok()) state.SkipWithError(status.message().c_str());
    benchmark::ClobberMemory();
  }
}

using Rival = void (*)(const Nv12Picture&, int, int, const Normalisation&, RivalBuffers&, float*);

void rival(benchmark::State& state, Rival run) {
  const int size = static_cast<int>(state.range(0));
  const Normalisation normalisation{{kMean, kMean, kMean}, {kMean, kMean, kMean}};
  const Nv12Picture picture = rival_picture();
  RivalBuffers buffers;
  std::vector<float> out = tensor_of(size);
  for (auto _ : state) {
    run(picture, size, size, normalisation, buffers, out.data());
    benchmark::ClobberMemory();
  }
}

void sluice_nchw(benchmark::State& state) { preprocess(state, Layout::kNchw); }
void sluice_nhwc(benchmark::State& state) { preprocess(state, Layout::kNhwc); }
void planes_first_rival(benchmark::State& state) { rival(state, planes_first); }
void textbook_rival(benchmark::State& state) { rival(state, textbook_chain); }

void sizes(benchmark::internal::Benchmark* b) {
  b->Arg(128)->Arg(300)->Arg(640)->Unit(benchmark::kMillisecond)->Repetitions(9)->MinTime(0.05);
}
BENCHMARK(sluice_nchw)->Apply(sizes);
BENCHMARK(sluice_nhwc)->Apply(sizes);
BENCHMARK(planes_first_rival)->Apply(sizes);
BENCHMARK(textbook_rival)->Apply(sizes);

// Shows the medians and keeps the fastest repetition of each benchmark.
class FastestReporter : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    std::vector<Run> medians;
    for (const Run& run : runs) {
      if (run.aggregate_name == "median") medians.push_back(run);
      if (run.run_type != Run::RT_Iteration || run.error_occurred) continue;
      const std::string key = run.run_name.function_name + "/" + run.run_name.args;
      const double time = run.GetAdjustedCPUTime();  // what neighbours on the machine disturb least
      const auto [entry, added] = fastest_.emplace(key, time);
      if (!added) entry->second = std::min(entry->second, time);
    }
    ConsoleReporter::ReportRuns(medians);
  }
  void print_ratios() const {
    std::printf("\n%-6s %12s %20s %20s %12s\n", "size", "sluice ms", "x planes first", "x textbook chain",
                "nhwc ms");
    for (const char* size : {"128", "300", "640"}) {
      const double own = at("sluice_nchw", size);
      std::printf("%-6s %12.3f %20.2f %20.2f %12.3f\n", size, own, at("planes_first_rival", size) / own,
                  at("textbook_rival", size) / own, at("sluice_nhwc", size));
    }
  }

 private:
  double at(const std::string& name, const std::string& size) const {
    const auto found = fastest_.find(name + "/" + size);
    return found == fastest_.end() ? 0 : found->second;
  }
  std::map<std::string, double> fastest_;
};

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) {
  cv::setNumThreads(1);
  std::vector<char*> args(argv, argv + argc);
  std::string interleave = "--benchmark_enable_random_interleaving=true";
  args.insert(args.begin() + 1, interleave.data());
  int count = static_cast<int>(args.size());
  benchmark::Initialize(&count, args.data());
  sluice::bench::FastestReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  reporter.print_ratios();
}
