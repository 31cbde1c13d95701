#include "backends/gpu/device/context.h"

#include <cstdint>
#include <vector>

#include "backends/cache/artifact_cache.h"
#include "backends/gpu/device/counters.h"
#include "backends/gpu/device/errors.h"
#include "backends/gpu/device/kernel_sources.h"

namespace sluice::gpu {
namespace {

// cl_qcom_perf_hint and cl_qcom_priority_hint, of Qualcomm's cl_ext_qcom.h.
constexpr cl_context_properties kPerformanceHint = 0x40C2, kPriorityHint = 0x40C9;
constexpr std::size_t kHostAlignment = 64;  // bytes: the widest vector that kernels read
constexpr std::size_t kMostLog = 2000;      // characters of a compiler's log that a message carries

Result<std::string_view> source_of(std::string_view unit) {
  for (const KernelSource& source : kernel_sources())
    if (source.unit == unit) return source.text;
  return failed("there are no kernels called '" + std::string(unit) + "'");
}

std::string options_of(Variant variant) {
  return std::string("-w -cl-std=CL1.2 -cl-mad-enable -cl-no-signed-zeros") +
         (variant.half_in ? " -DSLUICE_HALF_IN" : "") + (variant.half_out ? " -DSLUICE_HALF_OUT" : "") +
         (variant.half_weights ? " -DSLUICE_HALF_WEIGHTS" : "") +
         " -DSLUICE_LANES=" + std::to_string(variant.lanes);
}

Result<std::string> text_of(std::string_view unit) {
  SLUICE_ASSIGN(const std::string_view common, source_of("common"));
  SLUICE_ASSIGN(const std::string_view own, source_of(unit));
  return std::string(common) + std::string(own);
}

ArtifactCache& cache() {
  static ArtifactCache instance(ArtifactCache::default_folder());
  return instance;
}

void store(const ArtifactKey& key, std::string_view payload) {
  if (!cache().store(key, payload)) counters().unkept.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

Counters& counters() {
  static Counters instance;
  return instance;
}

Context::Context(const Api& api, DeviceInfo device, ContextHandle handle)
    : api_(api), device_(std::move(device)), handle_(std::move(handle)) {}

Result<std::shared_ptr<Context>> Context::create(const Api& api, const DeviceInfo& device, Hints hints) {
  std::vector<cl_context_properties> properties = {CL_CONTEXT_PLATFORM,
                                                   reinterpret_cast<cl_context_properties>(device.platform)};
  const auto add = [&](Hint hint, const char* extension, cl_context_properties name) {
    if (hint == Hint::kNone || !device.has_extension(extension)) return;
    // HIGH, NORMAL and LOW follow the property's own number.
    properties.push_back(name);
    properties.push_back(name + (hint == Hint::kHigh ? 1 : hint == Hint::kNormal ? 2 : 3));
  };
  add(hints.performance, "cl_qcom_perf_hint", kPerformanceHint);
  add(hints.priority, "cl_qcom_priority_hint", kPriorityHint);
  properties.push_back(0);
  cl_int error = CL_SUCCESS;
  ContextHandle handle(api, api.clCreateContext(properties.data(), 1, &device.id, nullptr, nullptr, &error));
  SLUICE_RETURN_IF_ERROR(check(error, "clCreateContext on '" + device.name + "'"));
  return std::shared_ptr<Context>(new Context(api, device, std::move(handle)));
}

Result<std::shared_ptr<Context>> Context::shared(const Api& api, const DeviceInfo& device, Hints hints) {
  static std::mutex mutex;
  static std::map<std::pair<cl_device_id, Hints>, std::weak_ptr<Context>> live;
  const std::lock_guard lock(mutex);
  std::weak_ptr<Context>& slot = live[{device.id, hints}];
  if (auto context = slot.lock(); context && !context->lost()) return context;
  SLUICE_ASSIGN(std::shared_ptr<Context> fresh, create(api, device, hints));
  slot = fresh;
  return fresh;
}

Status Context::checked(cl_int error, std::string_view what) const {
  if (means_device_lost(error)) lost_.store(true, std::memory_order_relaxed);
  return check(error, what);
}

Result<Queue> Context::queue(bool profiling) const {
  cl_int error = CL_SUCCESS;
  Queue queue(api_, api_.clCreateCommandQueue(handle_.get(), device_.id,
                                              profiling ? CL_QUEUE_PROFILING_ENABLE : 0, &error));
  SLUICE_RETURN_IF_ERROR(checked(error, "clCreateCommandQueue"));
  return queue;
}

Result<Buffer> Context::buffer(std::size_t bytes, cl_mem_flags flags, const void* data,
                               std::string_view what) const {
  const std::string call = "clCreateBuffer of " + std::to_string(bytes) + " bytes for " + std::string(what);
  if (bytes > device_.max_allocation)
    return unavailable("the OpenCL device is out of memory or resources: " + call + ", '" + device_.name +
                       "' gives at most " + std::to_string(device_.max_allocation) + " in one piece");
  cl_int error = CL_SUCCESS;
  if (data) flags |= CL_MEM_COPY_HOST_PTR;
  Buffer buffer(api_, api_.clCreateBuffer(handle_.get(), flags, bytes, const_cast<void*>(data), &error));
  SLUICE_RETURN_IF_ERROR(checked(error, call));
  return buffer;
}

Result<Buffer> Context::import(void* memory, std::size_t bytes, cl_mem_flags flags) const {
  cl_int error = CL_SUCCESS;
  Buffer buffer(api_, api_.clCreateBuffer(handle_.get(), flags | CL_MEM_USE_HOST_PTR, bytes, memory, &error));
  SLUICE_RETURN_IF_ERROR(checked(error, "clCreateBuffer of the host's memory"));
  return buffer;
}

bool Context::can_import(const void* memory) const {
  return device_.host_unified && reinterpret_cast<std::uintptr_t>(memory) % kHostAlignment == 0;
}

Result<Buffer> Context::part(const Buffer& whole, std::size_t offset, std::size_t bytes) const {
  cl_int error = CL_SUCCESS;
  const cl_buffer_region region{offset, bytes};
  Buffer buffer(api_, api_.clCreateSubBuffer(whole.get(), CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION,
                                             &region, &error));
  SLUICE_RETURN_IF_ERROR(checked(error, "clCreateSubBuffer"));
  return buffer;
}

Result<Kernel> Context::kernel(std::string_view unit, const std::string& name, Variant variant) {
  const std::lock_guard lock(mutex_);
  SLUICE_ASSIGN(cl_program built, program(unit, variant));
  cl_int error = CL_SUCCESS;
  Kernel kernel(api_, api_.clCreateKernel(built, name.c_str(), &error));
  SLUICE_RETURN_IF_ERROR(checked(error, "clCreateKernel of '" + name + "'"));
  return kernel;
}

Status Context::set_memory(const Kernel& kernel, cl_uint argument, cl_mem memory) const {
  return checked(
      api_.clSetKernelArg(kernel.get(), argument, sizeof(cl_mem), static_cast<const void*>(&memory)),
      "clSetKernelArg");
}

Result<cl_program> Context::program(std::string_view unit, Variant variant) {
  const Key key{unit, variant};
  if (const auto found = programs_.find(key); found != programs_.end()) return found->second.get();
  auto loaded = load(unit, variant);
  if (loaded.ok()) return programs_.emplace(key, std::move(*loaded)).first->second.get();
  if (loaded.status().code() != Code::kEndOfStream) return loaded.status();
  SLUICE_ASSIGN(Program fresh, build(unit, variant));
  unkept_.insert(key);
  return programs_.emplace(key, std::move(fresh)).first->second.get();
}

Result<Program> Context::build(std::string_view unit, Variant variant) {
  SLUICE_ASSIGN(const std::string text, text_of(unit));
  const char* start = text.c_str();
  const std::size_t length = text.size();
  cl_int error = CL_SUCCESS;
  Program program(api_, api_.clCreateProgramWithSource(handle_.get(), 1, &start, &length, &error));
  SLUICE_RETURN_IF_ERROR(checked(error, "clCreateProgramWithSource of '" + std::string(unit) + "'"));
  const std::string options = options_of(variant);
  error = api_.clBuildProgram(program.get(), 1, &device_.id, options.c_str(), nullptr, nullptr);
  if (error != CL_SUCCESS) return build_failure(program.get(), error, unit);
  counters().programs_built.fetch_add(1, std::memory_order_relaxed);
  return program;
}

ArtifactKey Context::key_of(std::string_view unit, Variant variant) const {
  ArtifactKey key("opencl-program");
  const auto text = text_of(unit);
  key.add("source", text.ok() ? *text : std::string()).add("options", options_of(variant));
  add_device(key);
  return key;
}

void Context::add_device(ArtifactKey& key) const {
  key.add("device", device_.name).add("vendor", device_.vendor).add("version", device_.version);
  key.add("driver", device_.driver).add("platform", device_.platform_name);
}

std::optional<std::string> Context::tuning(const std::string& signature) const {
  ArtifactKey key("opencl-tuning");
  add_device(key.add("recipe", signature));
  return cache().load(key);
}

void Context::keep_tuning(const std::string& signature, const std::string& text) const {
  ArtifactKey key("opencl-tuning");
  add_device(key.add("recipe", signature));
  store(key, text);
}

// kEndOfStream: there is none, or the driver did not take it (then it is forgotten). A lost device is no
// reason to forget anything.
Result<Program> Context::load(std::string_view unit, Variant variant) const {
  const ArtifactKey key = key_of(unit, variant);
  const auto binary = cache().load(key);
  if (!binary) return end_of_stream();
  const auto* start = reinterpret_cast<const unsigned char*>(binary->data());
  const std::size_t length = binary->size();
  cl_int status = CL_SUCCESS;
  cl_int error = CL_SUCCESS;
  Program program(
      api_, api_.clCreateProgramWithBinary(handle_.get(), 1, &device_.id, &length, &start, &status, &error));
  if (error == CL_SUCCESS) error = status;
  const std::string options = options_of(variant);
  if (error == CL_SUCCESS)
    error = api_.clBuildProgram(program.get(), 1, &device_.id, options.c_str(), nullptr, nullptr);
  if (means_device_lost(error)) return checked(error, "loading program '" + std::string(unit) + "'");
  if (error != CL_SUCCESS) {
    cache().reject(key, "was refused by the driver (" + name_of_error(error) + ")");
    return end_of_stream();
  }
  counters().programs_loaded.fetch_add(1, std::memory_order_relaxed);
  return program;
}

std::string Context::binary_of(cl_program program) const {
  std::size_t size = 0;
  if (api_.clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, nullptr) != CL_SUCCESS)
    return {};
  std::string binary(size, '\0');
  char* start = binary.data();
  if (api_.clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof start, static_cast<void*>(&start),
                            nullptr) != CL_SUCCESS)
    return {};
  return binary;
}

void Context::keep_programs() {
  const std::lock_guard lock(mutex_);
  if (lost()) return;
  // Asking for a binary takes a driver up to seconds.
  for (const Key& key : cache().usable() ? unkept_ : std::set<Key>()) {
    const std::string binary = binary_of(programs_.at(key).get());
    if (!binary.empty()) store(key_of(key.first, key.second), binary);
  }
  unkept_.clear();
}

void Context::programs_changed() {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, program] : programs_) unkept_.insert(key);
}

Status Context::build_failure(cl_program program, cl_int error, std::string_view unit) const {
  std::size_t size = 0;
  std::string log;
  if (api_.clGetProgramBuildInfo(program, device_.id, CL_PROGRAM_BUILD_LOG, 0, nullptr, &size) ==
          CL_SUCCESS &&
      size > 1) {
    log.resize(size);
    if (api_.clGetProgramBuildInfo(program, device_.id, CL_PROGRAM_BUILD_LOG, size, log.data(), nullptr) !=
        CL_SUCCESS)
      log.clear();
    log.resize(std::min(log.find('\0') == std::string::npos ? log.size() : log.find('\0'), kMostLog));
  }
  const Status status =
      checked(error, "clBuildProgram of '" + std::string(unit) + "' on '" + device_.name + "'");
  // Whatever its reason: another backend may take the model.
  return unavailable(log.empty() ? status.message() : status.message() + "; the compiler says: " + log);
}

}  // namespace sluice::gpu
