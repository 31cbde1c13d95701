#include "backends/gpu/gpu_backend.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>

#include "backends/cache/artifact_cache.h"
#include "backends/gpu/device/device_name.h"
#include "backends/gpu/ep/plugin.h"
#include "backends/ort/session.h"
#include "framework/core/log.h"
#include "inference/backend_options.h"
#include "inference/checked_model.h"
#include "inference/picture_maker.h"

namespace sluice {
namespace {

constexpr int kSlots = 2;  // one run on the device, the next one's inputs ready behind it

// SLUICE_GPU_MODULE when it is set; else lib/sluice/sluice_gpu.so beside the library this code lies in.
Result<std::string> module_path() {
  if (const char* named = std::getenv("SLUICE_GPU_MODULE"); named && *named) return std::string(named);
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&module_path), &info) == 0 || !info.dli_fname)
    return unavailable("cannot tell where the sluice library lies, so its gpu module cannot be found");
  std::error_code error;
  const auto file = std::filesystem::weakly_canonical(info.dli_fname, error);
  const std::string path = (file.parent_path() / "sluice" / "sluice_gpu.so").string();
  if (!std::filesystem::exists(path, error))
    return unavailable("the gpu module is missing: there is no '" + path + "'; install it with the library");
  return path;
}

template <typename Function>
Result<Function> module_function(const char* name) {
  SLUICE_ASSIGN(const std::string path, module_path());
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!handle) return unavailable(std::string("the gpu module cannot be loaded: ") + ::dlerror());
  const auto function = reinterpret_cast<Function>(::dlsym(handle, name));
  if (!function) return unavailable("'" + path + "' is of another version than the library");
  return function;
}

// Ok, or why the plugin offers no device.
Status ask_plugin() {
  SLUICE_ASSIGN(const auto why, module_function<const char* (*)()>(gpu::kWhyUnavailable));
  SLUICE_ASSIGN(const auto set_log, module_function<void (*)(LogSink)>(gpu::kSetLog));
  set_log(&log_message);
  const char* text = why();
  return text ? unavailable(text) : Status();
}

// The plugin's devices, in its order of preference.
std::vector<Ort::ConstEpDevice> gpu_devices(ort::Runtime& runtime) {
  std::vector<Ort::ConstEpDevice> devices = runtime.env().GetEpDevices();
  std::erase_if(devices, [](const Ort::ConstEpDevice& device) {
    return device.EpName() != std::string_view(gpu::kProviderName);
  });
  return devices;
}

std::string text_of(const Ort::ConstEpDevice& device) {
  const char* text = device.EpMetadata().GetValue(gpu::kDeviceTextKey);
  return text ? text : "";
}

gpu::DeviceName name_of(const Ort::ConstEpDevice& device) {
  const auto text = [&device](const char* key) {
    const char* value = device.EpMetadata().GetValue(key);
    return std::string(value ? value : "");
  };
  return {text(gpu::kDeviceNameKey), text(gpu::kPlatformNameKey)};
}

Result<Ort::ConstEpDevice> choose(ort::Runtime& runtime, const std::string& wanted) {
  const std::vector<Ort::ConstEpDevice> devices = gpu_devices(runtime);
  std::vector<gpu::DeviceName> names;
  names.reserve(devices.size());
  for (const Ort::ConstEpDevice& device : devices) names.push_back(name_of(device));
  SLUICE_ASSIGN(const std::size_t chosen, gpu::choose_by_name(names, wanted));
  return devices[chosen];
}

using Open = std::function<Result<std::unique_ptr<Session>>()>;

// A session that is made anew when its device is lost; the run that lost it is repeated. When that does not
// help, or runs fail in a row, it has failed for good: every further run is kUnavailable.
class GpuSession final : public Session {
 public:
  // `lane`: what sessions of its device queue for.
  GpuSession(std::unique_ptr<Session> session, std::string_view lane, Open open)
      : session_(std::move(session)), lane_(lane), open_(std::move(open)) {}
  const ModelSignature& signature() const override { return session_->signature(); }
  std::string_view backend() const override { return "gpu"; }
  RunKind kind() const override { return RunKind::kWaits; }
  // While one run computes, the next one's commands are enqueued.
  Accelerator accelerator() const override { return {.name = lane_, .runs_at_once = 2}; }
  int slots() const override { return session_->slots(); }
  bool static_batch() const override { return session_->static_batch(); }
  Placement placement() const override { return session_->placement(); }

  Status run(int slot, std::span<const Tensor* const> inputs, std::span<Tensor* const> outputs) override {
    for (;;) {
      int generation = 0;
      Status status = run_once(slot, inputs, outputs, generation);
      if (status.ok()) {
        failures_.store(0, std::memory_order_relaxed);
        return status;
      }
      if (status.code() == Code::kUnavailable) return status;
      const bool lost = status.message().find(gpu::kDeviceLost) != std::string::npos;
      SLUICE_RETURN_IF_ERROR(recover(generation, lost, status));
      if (!lost) return status;
    }
  }

 private:
  static constexpr int kMostFailures = 3;  // in a row

  // kUnavailable: it has failed for good. `generation`: of the session that ran.
  Status run_once(int slot, std::span<const Tensor* const> inputs, std::span<Tensor* const> outputs,
                  int& generation) {
    const std::shared_lock lock(mutex_);
    if (!failure_.ok()) return failure_;
    generation = generation_;
    return fresh_ ? fresh_->run(slot, inputs, outputs) : session_->run(slot, inputs, outputs);
  }

  // After a failed run; Ok: it may be repeated. Of the runs that one loss made fail, the first recovers.
  Status recover(int generation, bool lost, const Status& why) {
    const std::unique_lock lock(mutex_);
    if (generation != generation_ || !failure_.ok()) return failure_;
    if (failures_.fetch_add(1, std::memory_order_relaxed) + 1 >= kMostFailures)
      return failure_ = unavailable("backend 'gpu' has failed: " + std::to_string(kMostFailures) +
                                    " runs in a row, the last with: " + why.message());
    if (!lost) return {};
    auto opened = open_();
    if (!opened.ok())
      return failure_ = unavailable("backend 'gpu' has failed: " + why.message() +
                                    "; loading the model again: " + opened.status().message());
    fresh_ = std::move(*opened);
    ++generation_;
    log_message(LogLevel::kWarning, "backend 'gpu': the OpenCL device was lost; model '" + signature().name +
                                        "' is loaded again");
    return {};
  }

  const std::unique_ptr<Session> session_;  // the first one; it answers for what never changes
  const std::string_view lane_;
  const Open open_;
  std::atomic<int> failures_{0};    // since the last run that went well
  std::shared_mutex mutex_;         // held shared by runs, alone while what follows changes
  std::unique_ptr<Session> fresh_;  // after a loss
  int generation_ = 0;
  Status failure_;
};

class GpuBackend final : public Backend, public PictureBackend {
 public:
  std::string_view name() const override { return "gpu"; }
  Status available() override {
    const std::lock_guard lock(mutex_);
    if (!available_) available_ = find();
    return *available_;
  }
  std::string version() override;
  const std::vector<OptionDeclaration>& options() const override { return backend_options("gpu"); }
  Result<std::unique_ptr<Session>> open(const SessionRequest& request) override;
  // The kernels go to the artefact cache; what `open` takes is the model itself.
  Result<std::string> compile(const SessionRequest& request) override;
  Result<std::unique_ptr<PictureMaker>> open_pictures(const std::string& device) override;

 private:
  Status find() {
    const auto why = [](const Status& status) {
      return status.with_context("backend 'gpu' is not available: ");
    };
    const auto runtime = ort::Runtime::get();
    if (!runtime.ok()) return why(runtime.status());
    const auto path = module_path();
    if (!path.ok()) return why(path.status());
    if (const Status asked = ask_plugin(); !asked.ok()) return why(asked);
    const Status registered = (*runtime)->register_plugin("sluice.gpu", *path);
    return registered.ok() ? registered : why(registered);
  }

  std::mutex mutex_;
  std::optional<Status> available_;
};

// Static shapes only: named dimensions that `dims` leaves free get the sizes that the signature gives them.
Status fix_dimensions(ort::Runtime& runtime, const SessionRequest& request, Ort::SessionOptions& session) {
  SLUICE_ASSIGN(const auto model, check_model(request.model));
  SLUICE_ASSIGN(const ModelSignature signature, read_signature(request.model));
  for (std::size_t i = 0; i < model->header.inputs.size(); ++i)
    for (std::size_t d = 0; d < model->header.inputs[i].dims.size(); ++d) {
      const onnx::Dim& dim = model->header.inputs[i].dims[d];
      if (dim.value >= 0 || dim.name.empty()) continue;
      const bool batch = d == 0 && signature.symbolic_batch;
      const std::int64_t size = batch ? std::max(1, request.batch) : signature.inputs[i].shape[d];
      Ort::ThrowOnError(
          runtime.api().AddFreeDimensionOverrideByName(session, std::string(dim.name).c_str(), size));
    }
  return {};
}

// What Qualcomm's drivers know of the modes that htp has.
const char* performance_hint(const std::string& mode) {
  if (mode == "auto") return "none";
  if (mode.ends_with("power_saver")) return "low";
  return mode == "burst" || mode.ends_with("high_performance") ? "high" : "normal";
}

// `profiling_path` is no option of pipelines: `sluice profile` asks for it.
std::unordered_map<std::string, std::string> provider_options(const Options& options, bool tune) {
  const std::string& priority = options.text("context_priority");
  return {{gpu::kPrecision, options.text("precision")},
          {gpu::kPerformance, performance_hint(options.text("performance_mode"))},
          {gpu::kPriority, priority == "normal" ? "none" : priority},
          {gpu::kTune, tune ? "1" : "0"},
          {gpu::kProfile, options.has("profiling_path") ? "1" : "0"},
          {gpu::kProfilePath, options.has("profiling_path") ? options.text("profiling_path") : ""}};
}

Result<std::unique_ptr<Session>> open_once(const SessionRequest& request, bool tune = false) {
  SLUICE_ASSIGN(auto runtime, ort::Runtime::get());
  const Options options(with_defaults("gpu", request.options));
  SLUICE_ASSIGN(const Ort::ConstEpDevice device, choose(*runtime, options.text("device")));
  SessionRequest limited = request;
  limited.slots = std::min(request.slots, kSlots);
  Status fixed;
  ort::SessionConfig config{.backend = "gpu",
                            .provider = gpu::kProviderName,
                            .kind = RunKind::kWaits,
                            .static_batch = true,
                            .substitute = {},
                            .configure = {}};
  config.configure = [&](Ort::SessionOptions& session) {
    fixed = fix_dimensions(*runtime, request, session);
    session.SetIntraOpNumThreads(1);
    session.AppendExecutionProvider_V2(runtime->env(), {device}, provider_options(options, tune));
  };
  auto session = ort::OrtSession::open(runtime, limited, config);
  if (!session.ok()) return session.status().with_context("backend 'gpu': ");
  if (!fixed.ok()) return fixed;
  return session;
}

// A name per device: runs on one do not wait for those on another. It outlives every session.
Result<std::string_view> lane_of(const SessionRequest& request) {
  static std::mutex mutex;
  static std::set<std::string> names;
  SLUICE_ASSIGN(auto runtime, ort::Runtime::get());
  const Options options(with_defaults("gpu", request.options));
  SLUICE_ASSIGN(const Ort::ConstEpDevice device, choose(*runtime, options.text("device")));
  const std::lock_guard lock(mutex);
  return std::string_view(*names.insert("gpu " + text_of(device)).first);
}

Result<std::unique_ptr<Session>> GpuBackend::open(const SessionRequest& request) {
  SLUICE_RETURN_IF_ERROR(available());
  SLUICE_ASSIGN(auto session, open_once(request));
  SLUICE_ASSIGN(const std::string_view lane, lane_of(request));
  return std::unique_ptr<Session>(
      std::make_unique<GpuSession>(std::move(session), lane, [request] { return open_once(request); }));
}

// One run of zeros: some drivers finish compiling with the first.
Status run_once(Session& session) {
  const ModelSignature& signature = session.signature();
  std::vector<std::vector<std::byte>> memory;
  std::vector<Tensor> tensors;
  for (const auto* types : {&signature.inputs, &signature.outputs})
    for (const TensorType& type : *types) {
      SLUICE_ASSIGN(const std::size_t bytes, byte_size(type.dtype, type.shape));
      memory.emplace_back(bytes);
      Tensor tensor;
      tensor.data = memory.back().data();
      tensor.bytes = bytes;
      tensors.push_back(std::move(tensor));
    }
  std::vector<const Tensor*> inputs;
  std::vector<Tensor*> outputs;
  for (std::size_t i = 0; i < tensors.size(); ++i)
    if (i < signature.inputs.size())
      inputs.push_back(&tensors[i]);
    else
      outputs.push_back(&tensors[i]);
  return session.run(0, inputs, outputs);
}

// What compiling makes is kept in the artefact cache and nowhere else: it must take a file now.
Status cache_takes_entries() {
  const std::string path = ArtifactCache::default_folder();
  const std::string lost =
      "what compiling for 'gpu' makes, and what tuning measures, would be kept nowhere: ";
  if (path.empty()) return unavailable(lost + "the artefact cache is off; set SLUICE_ARTIFACTS to a folder");
  const auto folder = CacheFolder::open(path);
  if (!folder.ok()) return folder.status().with_context(lost + "artefact cache: ");
  const std::string name = "probe-" + std::to_string(::getpid());
  const Status written = folder->write(name, name);
  folder->remove(name);
  return written.ok()
             ? written
             : unavailable(lost + "artefact cache: '" + path + "' takes no entry: " + written.message());
}

Result<std::uint64_t> entries_that_were_not_kept() {
  SLUICE_ASSIGN(const auto counts, module_function<void (*)(gpu::PluginCounts*)>(gpu::kCounts));
  gpu::PluginCounts out;
  counts(&out);
  return out.unkept;
}

// Whoever compiles learns now what will run elsewhere.
void say_what_stays(const Placement& placement, const std::string& model) {
  if (placement.elsewhere.empty()) return;
  std::string text = "backend 'gpu' takes " + std::to_string(placement.on_backend) + " of " +
                     std::to_string(placement.total) + " operators of '" + model +
                     "', the others run on the cpu";
  for (const std::string& reason : placement.reasons) text += " (" + reason + ")";
  log_message(LogLevel::kWarning, text);
}

Result<std::string> GpuBackend::compile(const SessionRequest& request) {
  SLUICE_RETURN_IF_ERROR(available());
  SLUICE_RETURN_IF_ERROR(cache_takes_entries());
  SLUICE_ASSIGN(const auto model, check_model(request.model));
  const Options options(request.options);
  SLUICE_ASSIGN(const std::uint64_t unkept, entries_that_were_not_kept());
  {
    SLUICE_ASSIGN(auto session, open_once(request, options.has("tune") && options.flag("tune")));
    if (session->placement().on_backend == 0)
      return unavailable("backend 'gpu' takes no operator of '" + request.model.path + "'");
    say_what_stays(session->placement(), request.model.path);
    SLUICE_RETURN_IF_ERROR(run_once(*session));
  }
  // What a `preprocess` before it runs on the same device.
  const Options with(with_defaults("gpu", request.options));
  SLUICE_RETURN_IF_ERROR(open_pictures(with.text("device")).status());
  SLUICE_ASSIGN(const std::uint64_t now, entries_that_were_not_kept());
  if (now != unkept)
    return failed("the artefact cache '" + ArtifactCache::default_folder() + "' did not take " +
                  std::to_string(now - unkept) +
                  " of the entries: what is missing is compiled again by each run");
  return std::string(model->file->bytes());
}

Result<std::unique_ptr<PictureMaker>> GpuBackend::open_pictures(const std::string& device) {
  SLUICE_RETURN_IF_ERROR(available());
  using OpenPictures = PictureMaker* (*)(const std::string&, Status&);
  SLUICE_ASSIGN(const auto open, module_function<OpenPictures>(gpu::kOpenPictures));
  Status why;
  std::unique_ptr<PictureMaker> maker(open(device, why));
  if (!maker) return why.with_context("backend 'gpu': ");
  return maker;
}

std::string GpuBackend::version() {
  const auto runtime = ort::Runtime::get();
  std::string out;
  for (const Ort::ConstEpDevice& device : gpu_devices(**runtime))
    out += (out.empty() ? "" : "; ") + text_of(device);
  return out;
}

}  // namespace

std::unique_ptr<Backend> make_gpu_backend() { return std::make_unique<GpuBackend>(); }

}  // namespace sluice
