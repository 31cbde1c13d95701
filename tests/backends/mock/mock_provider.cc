// An execution provider plugin that stands in for QNN's: see mock_provider.h. Call order after the
// documentation of ONNX Runtime's plugin API (onnxruntime_ep_c_api.h).
#include <cstring>
#include <new>
#include <string>
#include <thread>
#include <vector>

// A library of its own, which gets the API from its host.
#define ORT_API_MANUAL_INIT
#include <onnxruntime_cxx_api.h>

#include "tests/backends/mock/mock_provider.h"

namespace {

using sluice::testing::MockAct;
using sluice::testing::MockControl;
using sluice::testing::MockRun;

MockControl control;

OrtStatus* run_once() {
  const int index = control.runs.fetch_add(1);
  const MockRun run = index < control.scripted.load() ? control.script[index] : MockRun{};
  if (run.act == MockAct::kHang) {
    control.hanging.fetch_add(1);
    // No atomic wait: its waiters' table is not shared with the program that notifies.
    while (!control.let_go) std::this_thread::yield();
    control.hanging.fetch_sub(1);
  }
  if (run.act != MockAct::kFail) return nullptr;
  return Ort::GetApi().CreateStatus(static_cast<OrtErrorCode>(run.code), run.message);
}

struct ComputeInfo : OrtNodeComputeInfo {
  ComputeInfo() : OrtNodeComputeInfo{} {
    ort_version_supported = ORT_API_VERSION;
    CreateState = [](OrtNodeComputeInfo*, OrtNodeComputeContext*, void** state) noexcept -> OrtStatus* {
      *state = nullptr;
      return nullptr;
    };
    Compute = [](OrtNodeComputeInfo*, void*, OrtKernelContext* context) noexcept -> OrtStatus* {
      if (OrtStatus* status = run_once()) return status;
      return write_outputs(context);
    };
    ReleaseState = [](OrtNodeComputeInfo*, void*) noexcept {};
  }

  // The first output is the first input, as bytes: enough to see that a run took place.
  static OrtStatus* write_outputs(OrtKernelContext* raw) noexcept {
    try {
      const Ort::KernelContext context(raw);
      const Ort::ConstValue input = context.GetInput(0);
      const auto shape = input.GetTensorTypeAndShapeInfo().GetShape();
      Ort::UnownedValue output = context.GetOutput(0, shape);
      std::memcpy(output.GetTensorMutableRawData(), input.GetTensorRawData(), input.GetTensorSizeInBytes());
      return nullptr;
    } catch (const Ort::Exception& error) {
      return Ort::GetApi().CreateStatus(error.GetOrtErrorCode(), error.what());
    }
  }
};

struct Provider : OrtEp {
  explicit Provider(std::string registered) : OrtEp{}, name(std::move(registered)) {
    control.sessions.fetch_add(1);
    control.opened.fetch_add(1);
    ort_version_supported = ORT_API_VERSION;
    GetName = [](const OrtEp* self) noexcept { return static_cast<const Provider*>(self)->name.c_str(); };
    GetCapability = [](OrtEp*, const OrtGraph* raw, OrtEpGraphSupportInfo* info) noexcept -> OrtStatus* {
      std::vector<const OrtNode*> nodes;
      for (const Ort::ConstNode& node : Ort::ConstGraph{raw}.GetNodes()) nodes.push_back(node);
      OrtNodeFusionOptions options{};
      options.ort_version_supported = ORT_API_VERSION;
      options.drop_constant_initializers = true;
      return Ort::GetEpApi().EpGraphSupportInfo_AddNodesToFuse(info, nodes.data(), nodes.size(), &options);
    };
    Compile = [](OrtEp*, const OrtGraph**, const OrtNode**, std::size_t count, OrtNodeComputeInfo** infos,
                 OrtNode**) noexcept -> OrtStatus* {
      for (std::size_t i = 0; i < count; ++i) infos[i] = new (std::nothrow) ComputeInfo;
      return nullptr;
    };
    ReleaseNodeComputeInfos = [](OrtEp*, OrtNodeComputeInfo** infos, std::size_t count) noexcept {
      for (std::size_t i = 0; i < count; ++i) delete static_cast<ComputeInfo*>(infos[i]);
    };
    SetDynamicOptions = [](OrtEp*, const char* const*, const char* const* values,
                           std::size_t count) noexcept -> OrtStatus* {
      for (std::size_t i = 0; i < count; ++i) {
        const int index = control.votes.fetch_add(1);
        if (index < MockControl::kMost)
          std::strncpy(control.vote[index], values[i], sizeof control.vote[index] - 1);
      }
      return nullptr;
    };
  }
  ~Provider() { control.sessions.fetch_sub(1); }
  const std::string name;
};

struct Factory : OrtEpFactory {
  explicit Factory(const char* registered) : OrtEpFactory{}, name(registered) {
    ort_version_supported = ORT_API_VERSION;
    GetName = [](const OrtEpFactory* self) noexcept {
      return static_cast<const Factory*>(self)->name.c_str();
    };
    GetVendor = [](const OrtEpFactory*) noexcept { return "mock"; };
    GetVendorId = [](const OrtEpFactory*) noexcept -> std::uint32_t { return 0; };
    GetVersion = [](const OrtEpFactory*) noexcept { return "0.0.1"; };
    GetSupportedDevices = [](OrtEpFactory* self, const OrtHardwareDevice* const* devices, std::size_t count,
                             OrtEpDevice** out, std::size_t most, std::size_t* found) noexcept -> OrtStatus* {
      *found = 0;
      if (count == 0 || most == 0) return nullptr;
      OrtStatus* status = Ort::GetEpApi().CreateEpDevice(self, devices[0], nullptr, nullptr, &out[0]);
      if (!status) *found = 1;
      return status;
    };
    CreateEp = [](OrtEpFactory* self, const OrtHardwareDevice* const*, const OrtKeyValuePairs* const*,
                  std::size_t, const OrtSessionOptions*, const OrtLogger*,
                  OrtEp** out) noexcept -> OrtStatus* {
      if (control.refuse_sessions.load() > 0) {
        control.refuse_sessions.fetch_sub(1);
        return Ort::GetApi().CreateStatus(ORT_EP_FAIL, "the mock was told to refuse");
      }
      *out = new (std::nothrow) Provider(static_cast<Factory*>(self)->name);
      return nullptr;
    };
    ReleaseEp = [](OrtEpFactory*, OrtEp* ep) noexcept { delete static_cast<Provider*>(ep); };
    // These must not be null: ONNX Runtime 1.29 calls some of them unasked.
    CreateAllocator = [](OrtEpFactory*, const OrtMemoryInfo*, const OrtKeyValuePairs*,
                         OrtAllocator** out) noexcept -> OrtStatus* {
      *out = nullptr;
      return nullptr;
    };
    ReleaseAllocator = [](OrtEpFactory*, OrtAllocator*) noexcept {};
    CreateDataTransfer = [](OrtEpFactory*, OrtDataTransferImpl** out) noexcept -> OrtStatus* {
      *out = nullptr;
      return nullptr;
    };
    IsStreamAware = [](const OrtEpFactory*) noexcept { return false; };
  }
  const std::string name;
};

}  // namespace

extern "C" {

__attribute__((visibility("default"))) OrtStatus* CreateEpFactories(const char* registered,
                                                                    const OrtApiBase* base, const OrtLogger*,
                                                                    OrtEpFactory** out, std::size_t most,
                                                                    std::size_t* count) {
  const OrtApi* api = base->GetApi(ORT_API_VERSION);
  Ort::InitApi(api);
  if (most == 0) return api->CreateStatus(ORT_INVALID_ARGUMENT, "no room for a factory");
  out[0] = new Factory(registered);
  *count = 1;
  return nullptr;
}

__attribute__((visibility("default"))) OrtStatus* ReleaseEpFactory(OrtEpFactory* factory) {
  delete static_cast<Factory*>(factory);
  return nullptr;
}

__attribute__((visibility("default"))) MockControl* mock_control() { return &control; }
}
