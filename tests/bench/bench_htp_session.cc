// What an htp session costs the calling thread around the provider: the provider here is the tests' mock,
// which copies 16 bytes, so what is measured is ours and ONNX Runtime's own call.
#include <benchmark/benchmark.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "backends/htp/htp_backend.h"
#include "tests/inference/onnx_builder.h"

namespace sluice {
namespace {

Tensor tensor_of(const TensorType& type, std::array<float, 4>& values) {
  Tensor out;
  out.type = std::make_shared<const TensorType>(type);
  out.data = reinterpret_cast<std::byte*>(values.data());
  out.bytes = sizeof values;
  return out;
}

void run_session(benchmark::State& state) {
  const auto path = std::filesystem::temp_directory_path() / "bench_htp_session.onnx";
  std::ofstream(path, std::ios::binary) << testing::relu_model({1, 4}).bytes();
  SteadyClock clock;
  HtpSetup setup;
  setup.clock = &clock;
  setup.cache = std::make_shared<ArtifactCache>("");
  setup.simulated = true;
  setup.provider = [] { return htp::Provider::open({SLUICE_MOCK_PROVIDER, "", ""}); };
  const auto backend = make_htp_backend(std::move(setup));
  SessionRequest request;
  request.model = {.name = "m", .variant = {}, .path = path, .sha256 = {}, .dims = {}};
  request.backend = "htp";
  request.on_fallback = "error";
  const auto session = backend->open(request);
  std::filesystem::remove(path);
  if (!session.ok()) {
    state.SkipWithError(session.status().message().c_str());
    return;
  }
  std::array<float, 4> in{1, 2, 3, 4}, out{};
  const Tensor input = tensor_of((*session)->signature().inputs[0], in);
  Tensor output = tensor_of((*session)->signature().outputs[0], out);
  const Tensor* const inputs[] = {&input};
  Tensor* const outputs[] = {&output};
  for (auto _ : state) {
    if (!(*session)->run(0, inputs, outputs).ok()) state.SkipWithError("a run failed");
  }
}

BENCHMARK(run_session)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace sluice

BENCHMARK_MAIN();
