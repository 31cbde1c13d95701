#include "backends/backends.h"

#include "backends/cpu/cpu_backend.h"
#include "backends/fake/fake_backend.h"
#include "backends/gpu/gpu_backend.h"
#include "backends/htp/context_binary.h"
#include "backends/htp/htp_backend.h"
#include "backends/ort/runtime.h"
#include "inference/model_formats.h"

namespace sluice {

std::vector<std::unique_ptr<Backend>> make_backends(Clock& clock) {
  std::vector<std::unique_ptr<Backend>> out;
  HtpSetup htp;
  htp.clock = &clock;
  out.push_back(make_htp_backend(std::move(htp)));
  out.push_back(make_gpu_backend());
  out.push_back(make_cpu_backend());
  out.push_back(make_fake_backend(clock));
  return out;
}

void register_model_formats() { set_binary_wrapper(htp::wrap_context_file); }

Result<std::string> onnxruntime_version() {
  SLUICE_ASSIGN(const auto runtime, ort::Runtime::get());
  return runtime->library().version + " (" + runtime->library().path + ")";
}

}  // namespace sluice
