// An execution provider plugin that stands in for QNN's: see mock_provider.h. Call order after the
// documentation of ONNX Runtime's plugin API (onnxruntime_ep_c_api.h).
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>

#include <stdexcept>
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

// Lends memory as QNN's allocator does: by address, in a table that all sessions look into.
struct Allocator : OrtAllocator {
  explicit Allocator(const OrtMemoryInfo* told) : OrtAllocator{}, info(told) {
    version = ORT_API_VERSION;
    Alloc = [](OrtAllocator*, std::size_t size) -> void* { return lend(size); };
    Reserve = Alloc;
    Free = [](OrtAllocator*, void* data) { take_back(data); };
    Info = [](const OrtAllocator* self) { return static_cast<const Allocator*>(self)->info; };
  }
  static void* lend(std::size_t size) {
    if (control.allocations_left.fetch_sub(1) <= 0) throw std::runtime_error("rpcmem_alloc() failed");
    void* const told = control.lend_next.exchange(nullptr);
    void* data = told ? told : std::aligned_alloc(64, (size + 63) / 64 * 64);
    const std::lock_guard lock(mutex);
    lent[data] = told == nullptr;
    control.allocated.fetch_add(1);
    return data;
  }
  static void take_back(void* data) {
    const std::lock_guard lock(mutex);
    const auto found = lent.find(data);
    if (found == lent.end()) return;
    if (found->second) std::free(data);
    lent.erase(found);
    control.freed.fetch_add(1);
  }
  static bool has(const void* data) {
    const std::lock_guard lock(mutex);
    return lent.contains(const_cast<void*>(data));
  }
  static std::mutex mutex;
  static std::map<void*, bool> lent;  // whether it is ours to free
  const OrtMemoryInfo* const info;
};
std::mutex Allocator::mutex;
std::map<void*, bool> Allocator::lent;

// As Qualcomm's provider: only what a tensor's memory information says counts, and such memory has to be one
// that was lent, in a session that was opened for it.
OrtStatus* count_memory(const Ort::ConstMemoryInfo& info, const void* data, bool sharing,
                        std::atomic<int>& shared, std::atomic<int>& own) {
  if (info.GetDeviceMemoryType() != OrtDeviceMemoryType_HOST_ACCESSIBLE) {
    own.fetch_add(1);
    return nullptr;
  }
  shared.fetch_add(1);
  if (sharing && Allocator::has(data)) return nullptr;
  return Ort::GetApi().CreateStatus(ORT_EP_FAIL,
                                    "No HTP or DX12 allocation found for shared memory address.");
}

struct ComputeInfo : OrtNodeComputeInfo {
  explicit ComputeInfo(bool shared) : OrtNodeComputeInfo{}, sharing(shared) {
    ort_version_supported = ORT_API_VERSION;
    CreateState = [](OrtNodeComputeInfo*, OrtNodeComputeContext*, void** state) noexcept -> OrtStatus* {
      *state = nullptr;
      return nullptr;
    };
    Compute = [](OrtNodeComputeInfo* self, void*, OrtKernelContext* context) noexcept -> OrtStatus* {
      if (OrtStatus* status = run_once()) return status;
      return write_outputs(context, static_cast<ComputeInfo*>(self)->sharing);
    };
    ReleaseState = [](OrtNodeComputeInfo*, void*) noexcept {};
  }

  // The first output is the first input, as bytes: enough to see that a run took place.
  static OrtStatus* write_outputs(OrtKernelContext* raw, bool sharing) noexcept {
    try {
      const Ort::KernelContext context(raw);
      const Ort::ConstValue input = context.GetInput(0);
      const auto shape = input.GetTensorTypeAndShapeInfo().GetShape();
      Ort::UnownedValue output = context.GetOutput(0, shape);
      // `control` is for the test to read: another run may write to it meanwhile.
      const void* const from = input.GetTensorRawData();
      void* const to = output.GetTensorMutableRawData();
      control.last_input = from;
      control.last_output = to;
      OrtStatus* status =
          count_memory(input.GetTensorMemoryInfo(), from, sharing, control.shared_inputs, control.own_inputs);
      if (!status)
        status = count_memory(output.GetTensorMemoryInfo(), to, sharing, control.shared_outputs,
                              control.own_outputs);
      if (!status) std::memcpy(to, from, input.GetTensorSizeInBytes());
      return status;
    } catch (const Ort::Exception& error) {
      return Ort::GetApi().CreateStatus(error.GetOrtErrorCode(), error.what());
    }
  }
  const bool sharing;
};

struct Provider : OrtEp {
  Provider(std::string registered, bool shared) : OrtEp{}, name(std::move(registered)), sharing(shared) {
    control.sessions.fetch_add(1);
    if (sharing) control.sharing_sessions.fetch_add(1);
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
    Compile = [](OrtEp* self, const OrtGraph**, const OrtNode**, std::size_t count,
                 OrtNodeComputeInfo** infos, OrtNode**) noexcept -> OrtStatus* {
      const bool in_place = static_cast<Provider*>(self)->sharing;
      for (std::size_t i = 0; i < count; ++i) infos[i] = new (std::nothrow) ComputeInfo(in_place);
      return nullptr;
    };
    ReleaseNodeComputeInfos = [](OrtEp*, OrtNodeComputeInfo** infos, std::size_t count) noexcept {
      for (std::size_t i = 0; i < count; ++i) delete static_cast<ComputeInfo*>(infos[i]);
    };
    CreateAllocator = [](OrtEp* self, const OrtMemoryInfo* info, OrtAllocator** out) noexcept -> OrtStatus* {
      *out = static_cast<Provider*>(self)->sharing ? new (std::nothrow) Allocator(info) : nullptr;
      return nullptr;
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
  const bool sharing;
};

// "ep.qnnexecutionprovider.": what ONNX Runtime puts before a provider's options.
std::string option_prefix(std::string name) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  return "ep." + name + ".";
}

struct Factory : OrtEpFactory {
  explicit Factory(const char* registered)
      : OrtEpFactory{},
        name(registered),
        shared_memory("QnnHtpShared", OrtMemoryInfoDeviceType_CPU, kVendor, 0,
                      OrtDeviceMemoryType_HOST_ACCESSIBLE, 0, OrtDeviceAllocator) {
    control.factories.fetch_add(1);
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
      static_cast<Factory*>(self)->device = out[0];
      return status;
    };
    CreateEp = [](OrtEpFactory* self, const OrtHardwareDevice* const*, const OrtKeyValuePairs* const*,
                  std::size_t, const OrtSessionOptions* options, const OrtLogger*,
                  OrtEp** out) noexcept -> OrtStatus* {
      if (control.refuse_sessions.load() > 0) {
        control.refuse_sessions.fetch_sub(1);
        return Ort::GetApi().CreateStatus(ORT_EP_FAIL, "the mock was told to refuse");
      }
      auto* factory = static_cast<Factory*>(self);
      const std::string key = option_prefix(factory->name) + "enable_htp_shared_memory_allocator";
      const bool sharing = Ort::ConstSessionOptions(options).GetConfigEntryOrDefault(key.c_str(), "0") == "1";
      *out = new (std::nothrow) Provider(factory->name, sharing);
      if (!sharing) return nullptr;
      // With the first such session and again with each, like Qualcomm's.
      return Ort::GetEpApi().EpDevice_AddAllocatorInfo(factory->device, factory->shared_memory);
    };
    ReleaseEp = [](OrtEpFactory*, OrtEp* ep) noexcept { delete static_cast<Provider*>(ep); };
    // These must not be null: ONNX Runtime 1.29 calls some of them unasked.
    CreateAllocator = [](OrtEpFactory*, const OrtMemoryInfo*, const OrtKeyValuePairs*,
                         OrtAllocator** out) noexcept -> OrtStatus* {
      *out = nullptr;
      return nullptr;
    };
    ReleaseAllocator = [](OrtEpFactory*, OrtAllocator* allocator) noexcept {
      delete static_cast<Allocator*>(allocator);
    };
    CreateDataTransfer = [](OrtEpFactory*, OrtDataTransferImpl** out) noexcept -> OrtStatus* {
      *out = nullptr;
      return nullptr;
    };
    IsStreamAware = [](const OrtEpFactory*) noexcept { return false; };
  }
  ~Factory() { control.factories.fetch_sub(1); }
  static constexpr std::uint32_t kVendor = 0x5143;
  const std::string name;
  const Ort::MemoryInfo shared_memory;
  OrtEpDevice* device = nullptr;
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
