#include "backends/cpu/cpu_backend.h"

#include <algorithm>

#include "backends/cpu/cores.h"
#include "backends/ort/session.h"
#include "inference/backend_options.h"

namespace sluice {
namespace {

// ONNX Runtime's notation: one entry per thread but the caller's, processors counted from 1.
std::string affinities(const std::vector<int>& cores, int threads) {
  std::string text;
  for (int t = 1; t < threads; ++t) {
    if (t > 1) text += ';';
    for (std::size_t i = 0; i < cores.size(); ++i) text += (i > 0 ? "," : "") + std::to_string(cores[i] + 1);
  }
  return text;
}

class CpuBackend final : public Backend {
 public:
  std::string_view name() const override { return "cpu"; }
  Status available() override { return ort::Runtime::get().status(); }
  const std::vector<OptionDeclaration>& options() const override { return backend_options("cpu"); }
  Result<std::unique_ptr<Session>> open(const SessionRequest& request) override;
};

Result<std::unique_ptr<Session>> CpuBackend::open(const SessionRequest& request) {
  SLUICE_ASSIGN(auto runtime, ort::Runtime::get());
  const Options options(with_defaults("cpu", request.options));
  const std::vector<Core> cores = read_cores();
  SLUICE_ASSIGN(const std::vector<int> chosen, choose_cores(options.text("cores"), cores));
  const int threads = std::max(1, static_cast<int>(options.integer("threads")));  // the text auto reads as 0
  const bool bind = chosen.size() < cores.size();
  ort::SessionConfig config{.backend = "cpu",
                            .provider = "CPUExecutionProvider",
                            .kind = RunKind::kCompute,
                            .configure = {},
                            .before_run = {},
                            .shrink_after_first_run = true};
  config.configure = [&](Ort::SessionOptions& session) {
    session.SetIntraOpNumThreads(threads);
    session.AddConfigEntry("session.intra_op.allow_spinning", options.flag("spinning") ? "1" : "0");
    // Without it, sums of uint8 x int8 products saturate at 16 bits on x86 cores without VNNI.
    session.AddConfigEntry("session.x64quantprecision", "1");
    if (bind && threads > 1)
      session.AddConfigEntry("session.intra_op_thread_affinities", affinities(chosen, threads).c_str());
  };
  config.before_run = [binding = bind ? CoreBinding(chosen) : CoreBinding()] { binding.enter(); };
  return ort::OrtSession::open(std::move(runtime), request, config);
}

}  // namespace

std::unique_ptr<Backend> make_cpu_backend() { return std::make_unique<CpuBackend>(); }

}  // namespace sluice
