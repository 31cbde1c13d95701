// The plugin's door: what ONNX Runtime looks for in the library, and the devices it offers.
#include <memory>
#include <string>
#include <vector>

#include "backends/gpu/device/context.h"
#include "backends/gpu/device/counters.h"
#include "backends/gpu/device/devices.h"
#include "backends/gpu/ep/api.h"
#include "backends/gpu/ep/plugin.h"
#include "backends/gpu/ep/provider.h"
#include "backends/gpu/pictures/device_pictures.h"

namespace sluice::gpu {
namespace {

constexpr const char* kVendor = "Sluice";

// Offers each OpenCL device as a GPU of its own: ONNX Runtime's own list of devices knows no platform GPU on
// Linux.
class Factory : public OrtEpFactory {
 public:
  Factory() : OrtEpFactory{} {
    ort_version_supported = ORT_API_VERSION;
    GetName = [](const OrtEpFactory*) noexcept -> const char* { return kProviderName; };
    GetVendor = [](const OrtEpFactory*) noexcept -> const char* { return kVendor; };
    GetVendorId = [](const OrtEpFactory*) noexcept -> std::uint32_t { return 0; };
    GetVersion = [](const OrtEpFactory*) noexcept -> const char* { return kVersion; };
    GetSupportedDevices = [](OrtEpFactory* self, const OrtHardwareDevice* const*, std::size_t,
                             OrtEpDevice** out, std::size_t most, std::size_t* count) noexcept -> OrtStatus* {
      return static_cast<Factory*>(self)->offer(out, most, count);
    };
    OrtEpFactory::CreateEp = [](OrtEpFactory* self, const OrtHardwareDevice* const* devices,
                                const OrtKeyValuePairs* const*, std::size_t count,
                                const OrtSessionOptions* session, const OrtLogger* logger,
                                OrtEp** out) noexcept -> OrtStatus* {
      return static_cast<Factory*>(self)->create(devices, count, session, logger, out);
    };
    ReleaseEp = [](OrtEpFactory*, OrtEp* ep) noexcept { delete static_cast<Provider*>(ep); };
    // Tensors come and go in host memory. None of these may be null: ONNX Runtime calls CreateDataTransfer
    // unasked.
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
    CreateSyncStreamForDevice = [](OrtEpFactory*, const OrtMemoryDevice*, const OrtKeyValuePairs*,
                                   OrtSyncStreamImpl** out) noexcept -> OrtStatus* {
      *out = nullptr;
      return nullptr;
    };
    load_devices();
  }
  ~Factory() {
    for (OrtHardwareDevice* device : hardware_) Ort::GetEpApi().ReleaseHardwareDevice(device);
  }

 private:
  void load_devices() {
    const auto api = the_api();
    if (!api.ok()) return;  // no devices: whoever asks the backend is told why
    api_ = *api;
    auto devices = list_devices(*api_);
    if (devices.ok()) devices_ = std::move(*devices);
  }

  OrtStatus* offer(OrtEpDevice** out, std::size_t most, std::size_t* count) {
    *count = 0;
    try {
      for (std::size_t i = 0; i < devices_.size() && i < most; ++i) {
        Ort::KeyValuePairs metadata;
        metadata.Add(kDeviceNameKey, devices_[i].name.c_str());
        metadata.Add(kPlatformNameKey, devices_[i].platform_name.c_str());
        metadata.Add(kDeviceTextKey, devices_[i].text().c_str());
        Ort::KeyValuePairs hardware_metadata;
        Ort::KeyValuePairs options;
        OrtHardwareDevice* hardware = nullptr;
        // The device's place in our list is its number.
        Ort::ThrowOnError(Ort::GetEpApi().CreateHardwareDevice(
            OrtHardwareDeviceType_GPU, devices_[i].vendor_id, static_cast<std::uint32_t>(i),
            devices_[i].vendor.c_str(), hardware_metadata, &hardware));
        hardware_.push_back(hardware);
        Ort::ThrowOnError(Ort::GetEpApi().CreateEpDevice(this, hardware, metadata, options, &out[*count]));
        ++*count;
      }
    } catch (const std::exception& error) {
      return to_ort(failed(error.what()));
    }
    return nullptr;
  }

  OrtStatus* create(const OrtHardwareDevice* const* devices, std::size_t count,
                    const OrtSessionOptions* session, const OrtLogger* logger, OrtEp** out) {
    try {
      if (count != 1) return to_ort(invalid("choose exactly one OpenCL device"));
      const std::size_t index = Ort::GetApi().HardwareDevice_DeviceId(devices[0]);
      if (index >= devices_.size()) return to_ort(invalid("that is no OpenCL device of ours"));
      const auto options = ProviderOptions::read(session);
      if (!options.ok()) return to_ort(options.status());
      auto context = Context::shared(*api_, devices_[index], options->hints);
      if (!context.ok()) return to_ort(context.status());
      *out = new Provider(std::move(*context), *options, logger);
    } catch (const std::exception& error) {
      return to_ort(failed(error.what()));
    }
    return nullptr;
  }

  const Api* api_ = nullptr;
  std::vector<DeviceInfo> devices_;
  std::vector<OrtHardwareDevice*> hardware_;
};

}  // namespace
}  // namespace sluice::gpu

extern "C" {

__attribute__((visibility("default"))) OrtStatus* CreateEpFactories(const char*, const OrtApiBase* base,
                                                                    const OrtLogger*,
                                                                    OrtEpFactory** factories,
                                                                    std::size_t most, std::size_t* count) {
  const OrtApi* api = base->GetApi(ORT_API_VERSION);
  if (!api) return base->GetApi(1)->CreateStatus(ORT_EP_FAIL, "this plugin needs a newer ONNX Runtime");
  Ort::InitApi(api);
  if (most < 1) return api->CreateStatus(ORT_INVALID_ARGUMENT, "no room for a factory");
  try {
    factories[0] = new sluice::gpu::Factory;
  } catch (const std::exception& error) {
    return api->CreateStatus(ORT_EP_FAIL, error.what());
  }
  *count = 1;
  return nullptr;
}

__attribute__((visibility("default"))) OrtStatus* ReleaseEpFactory(OrtEpFactory* factory) {
  delete static_cast<sluice::gpu::Factory*>(factory);
  return nullptr;
}

// ep/plugin.h: kWhyUnavailable
__attribute__((visibility("default"))) const char* sluice_gpu_why_unavailable() {
  static const std::string why = [] {
    const auto api = sluice::gpu::the_api();
    if (!api.ok()) return api.status().message();
    const auto devices = sluice::gpu::list_devices(**api);
    return devices.ok() ? std::string() : devices.status().message();
  }();
  return why.empty() ? nullptr : why.c_str();
}

// ep/plugin.h: kSetLog
__attribute__((visibility("default"))) void sluice_gpu_set_log(sluice::LogSink sink) {
  sluice::set_log_sink(sink);
}

// ep/plugin.h: kOpenPictures
__attribute__((visibility("default"))) sluice::PictureMaker* sluice_gpu_open_pictures(
    const std::string& device, sluice::Status& why) {
  try {
    const auto api = sluice::gpu::the_api();
    auto opened = api.ok() ? sluice::gpu::DevicePictures::open(**api, device) : api.status();
    why = opened.status();
    return opened.ok() ? opened->release() : nullptr;
  } catch (const std::exception& error) {
    why = sluice::failed(error.what());
    return nullptr;
  }
}

// ep/plugin.h: kCounts
__attribute__((visibility("default"))) void sluice_gpu_counts(sluice::gpu::PluginCounts* out) {
  const sluice::gpu::Counters& c = sluice::gpu::counters();
  *out = {.programs_built = c.programs_built,
          .programs_loaded = c.programs_loaded,
          .unkept = c.unkept,
          .bytes_copied = c.bytes_copied,
          .tuned = c.tuned,
          .kernels = c.kernels,
          .bytes_in = c.bytes_in,
          .bytes_out = c.bytes_out,
          .arena = c.arena,
          .unshared = c.unshared,
          .constants = c.constants};
}

}  // extern "C"
