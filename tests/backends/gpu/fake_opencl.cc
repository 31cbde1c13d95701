#include "tests/backends/gpu/fake_opencl.h"

#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <CL/cl_ext.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

struct Fault {
  std::string function;
  int nth = 0;
  cl_int error = CL_SUCCESS;
  bool stays = false;
};

std::mutex mutex;
std::vector<Fault> faults;
std::map<std::string, int, std::less<>> calls;
std::map<cl_context_properties, cl_context_properties> context_properties;  // of the newest context
std::set<std::string> build_options;  // of the programs since they were asked for
std::atomic<int> live{0};

// Allocates only with a function's first call: tests count allocations.
cl_int enter(std::string_view function) {
  const std::lock_guard lock(mutex);
  auto found = calls.find(function);
  if (found == calls.end()) found = calls.emplace(function, 0).first;
  const int count = ++found->second;
  for (const Fault& fault : faults)
    if (fault.function == function && (count == fault.nth || (fault.stays && count > fault.nth)))
      return fault.error;
  return CL_SUCCESS;
}

// Every handle is one of these; the tag tells a stale or foreign one.
struct Object {
  int tag = 0x51u;
  std::vector<char> memory;
  char* view = nullptr;
  std::size_t mapped = 0;  // bytes of `view` that are a mapping of our own
};

template <typename T>
T make(const char* function, cl_int* error, std::size_t bytes = 0) {
  const cl_int failed = enter(function);
  if (error) *error = failed;
  if (failed != CL_SUCCESS) return nullptr;
  ++live;
  auto* object = new Object;
  object->memory.resize(bytes);
  object->view = object->memory.data();
  return reinterpret_cast<T>(object);
}

Object* object_of(void* handle) { return static_cast<Object*>(handle); }

template <typename T>
cl_int release(const char* function, T handle) {
  const cl_int failed = enter(function);
  --live;  // gone even when the driver complains
  if (object_of(handle)->mapped != 0) ::munmap(object_of(handle)->view, object_of(handle)->mapped);
  delete object_of(handle);
  return failed;
}

cl_int answer(const void* data, std::size_t bytes, std::size_t size, void* value, std::size_t* needed) {
  if (needed) *needed = bytes;
  if (value && size < bytes) return CL_INVALID_VALUE;
  if (value) std::memcpy(value, data, bytes);
  return CL_SUCCESS;
}
cl_int answer(const std::string& text, std::size_t size, void* value, std::size_t* needed) {
  return answer(text.c_str(), text.size() + 1, size, value, needed);
}

// Handles of platforms and devices are addresses of these.
struct FakePlatform {
  std::string name;
  std::vector<std::string> devices;
};

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);) out.push_back(part);
  return out;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// For programs: SLUICE_FAKE_OPENCL=clBuildProgram:1:-11 sets a fault that stays, a fourth part (":once") one
// that does not; more of them after a comma. SLUICE_FAKE_OPENCL_EXTENSIONS: what the devices have;
// SLUICE_FAKE_OPENCL_DRIVER: their driver's version; SLUICE_FAKE_OPENCL_UNIFIED: they work in the host's
// memory; SLUICE_FAKE_OPENCL_DEVICES="Platform:device,device;Other:device": which there are;
// SLUICE_FAKE_OPENCL_GATE: a pipe that the first compilation waits for.
const bool from_environment = [] {
  for (const std::string& text : split(variable("SLUICE_FAKE_OPENCL"), ',')) {
    const auto parts = split(text, ':');
    faults.push_back({parts.at(0), std::stoi(parts.at(1)), std::stoi(parts.at(2)), parts.size() == 3});
  }
  return true;
}();

// Of what the environment says now. Never freed: a handle stays what it was.
const std::vector<FakePlatform>& platforms() {
  const std::lock_guard lock(mutex);
  static std::map<std::string, std::vector<FakePlatform>> known;
  std::string text = variable("SLUICE_FAKE_OPENCL_DEVICES");
  if (text.empty()) text = "Fake platform:Fake device";
  std::vector<FakePlatform>& out = known[text];
  if (out.empty())
    for (const std::string& part : split(text, ';')) {
      const std::size_t colon = part.find(':');
      out.push_back({part.substr(0, colon), split(part.substr(colon + 1), ',')});
    }
  return out;
}

const FakePlatform& platform_of(cl_platform_id id) { return *reinterpret_cast<const FakePlatform*>(id); }
const std::string& name_of(cl_device_id id) { return *reinterpret_cast<const std::string*>(id); }

template <typename Id, typename T>
cl_int list(const std::vector<T>& all, cl_uint most, Id* ids, cl_uint* count) {
  if (count) *count = static_cast<cl_uint>(all.size());
  for (cl_uint i = 0; ids && i < most && i < all.size(); ++i)
    ids[i] = reinterpret_cast<Id>(const_cast<T*>(&all[i]));
  return all.empty() ? CL_DEVICE_NOT_FOUND : CL_SUCCESS;
}

std::array<cl_mem, 16> arguments{};  // of kernels, by index; those of a size of handles
FakeImport newest_import;

// A buffer that is the descriptor's own memory, as a driver's mapping of it would be.
cl_mem map_descriptor(const char* function, const FakeImport& import, cl_int* error) {
  {
    const std::lock_guard lock(mutex);
    newest_import = import;
  }
  void* view = ::mmap(nullptr, import.bytes, PROT_READ, MAP_SHARED, import.descriptor, 0);
  const cl_mem handle = view == MAP_FAILED ? nullptr : make<cl_mem>(function, error);
  if (view == MAP_FAILED) *error = CL_INVALID_VALUE;
  if (!handle) {
    if (view != MAP_FAILED) ::munmap(view, import.bytes);
    return nullptr;
  }
  object_of(handle)->view = static_cast<char*>(view);
  object_of(handle)->mapped = import.bytes;
  return handle;
}

cl_mem import_arm(cl_context, cl_mem_flags, const cl_import_properties_arm* properties, void* memory,
                  size_t bytes, cl_int* error) {
  const bool dmabuf = properties && properties[0] == CL_IMPORT_TYPE_ARM &&
                      properties[1] == CL_IMPORT_TYPE_DMA_BUF_ARM && properties[2] == 0;
  if (!dmabuf) {
    *error = CL_INVALID_PROPERTY;
    return nullptr;
  }
  return map_descriptor("clImportMemoryARM", {*static_cast<int*>(memory), nullptr, bytes, 0}, error);
}

// cl_qcom_dmabuf_host_ptr; the driver wants USE_HOST_PTR beside its own flag.
cl_mem import_qualcomm(cl_mem_flags flags, size_t bytes, void* data, cl_int* error) {
  struct Pointer {
    cl_mem_ext_host_ptr kind;
    int descriptor;
    void* mapped;
  };
  const auto* pointer = static_cast<const Pointer*>(data);
  if ((flags & CL_MEM_USE_HOST_PTR) == 0 || pointer->kind.allocation_type != 0x411D) {
    *error = CL_INVALID_VALUE;
    return nullptr;
  }
  return map_descriptor("clCreateBuffer",
                        {pointer->descriptor, pointer->mapped, bytes, pointer->kind.host_cache_policy},
                        error);
}

}  // namespace

#define EXPORT __attribute__((visibility("default")))

extern "C" {

EXPORT void fake_opencl_fail(const char* function, int nth, int error, bool stays) {
  const std::lock_guard lock(mutex);
  faults = {{function, nth, error, stays}};
  calls.clear();
}
EXPORT void fake_opencl_fail_too(const char* function, int nth, int error, bool stays) {
  const std::lock_guard lock(mutex);
  faults.push_back({function, nth, error, stays});
}
EXPORT void fake_opencl_heal() {
  const std::lock_guard lock(mutex);
  faults.clear();
  calls.clear();
}
EXPORT int fake_opencl_calls(const char* function) {
  const std::lock_guard lock(mutex);
  return calls[function];
}
EXPORT int fake_opencl_live() { return live; }
EXPORT const unsigned char* fake_opencl_argument(unsigned index) {
  const cl_mem memory = arguments.at(index);
  return memory ? reinterpret_cast<const unsigned char*>(object_of(memory)->view) : nullptr;
}
EXPORT const char* fake_opencl_build_options() {
  static std::string told;
  told.clear();
  for (const std::string& options : std::exchange(build_options, {})) told += options + '\n';
  return told.c_str();
}
EXPORT const FakeImport* fake_opencl_import() { return &newest_import; }
EXPORT long fake_opencl_context_property(long name) {
  const std::lock_guard lock(mutex);
  const auto found = context_properties.find(name);
  return found == context_properties.end() ? 0 : found->second;
}

EXPORT cl_int clGetPlatformIDs(cl_uint most, cl_platform_id* ids, cl_uint* count) {
  if (const cl_int error = enter("clGetPlatformIDs")) return error;
  return list(platforms(), most, ids, count);
}
EXPORT cl_int clGetPlatformInfo(cl_platform_id id, cl_platform_info, size_t size, void* value,
                                size_t* needed) {
  if (const cl_int error = enter("clGetPlatformInfo")) return error;
  return answer(platform_of(id).name, size, value, needed);
}
EXPORT cl_int clGetDeviceIDs(cl_platform_id id, cl_device_type, cl_uint most, cl_device_id* ids,
                             cl_uint* count) {
  if (const cl_int error = enter("clGetDeviceIDs")) return error;
  return list(platform_of(id).devices, most, ids, count);
}
EXPORT cl_int clGetDeviceInfo(cl_device_id id, cl_device_info what, size_t size, void* value,
                              size_t* needed) {
  if (const cl_int error = enter("clGetDeviceInfo")) return error;
  const cl_device_type type = name_of(id).starts_with("cpu") ? CL_DEVICE_TYPE_CPU : CL_DEVICE_TYPE_GPU;
  const cl_ulong memory = 1u << 30;
  const cl_uint number = 1024;
  const std::size_t group = 256;
  const std::size_t padding = 64;
  const cl_bool yes = CL_TRUE;
  const cl_bool unified = std::getenv("SLUICE_FAKE_OPENCL_UNIFIED") ? CL_TRUE : CL_FALSE;
  switch (what) {
    case CL_DEVICE_TYPE:
      return answer(&type, sizeof type, size, value, needed);
    case CL_DEVICE_MAX_MEM_ALLOC_SIZE:
      return answer(&memory, sizeof memory, size, value, needed);
    case CL_DEVICE_VENDOR_ID:
    case CL_DEVICE_MEM_BASE_ADDR_ALIGN:
      return answer(&number, sizeof number, size, value, needed);
    case CL_DEVICE_MAX_WORK_GROUP_SIZE:
      return answer(&group, sizeof group, size, value, needed);
    case CL_DEVICE_COMPILER_AVAILABLE:
      return answer(&yes, sizeof yes, size, value, needed);
    case CL_DEVICE_HOST_UNIFIED_MEMORY:
      return answer(&unified, sizeof unified, size, value, needed);
    case CL_DEVICE_EXTENSIONS:
      return answer("cl_khr_fake cl_khr_fp16x " + variable("SLUICE_FAKE_OPENCL_EXTENSIONS"), size, value,
                    needed);
    case CL_DRIVER_VERSION:
      return answer(variable("SLUICE_FAKE_OPENCL_DRIVER"), size, value, needed);
    case CL_DEVICE_EXT_MEM_PADDING_IN_BYTES_QCOM:
      return answer(&padding, sizeof padding, size, value, needed);
    default:
      return answer(name_of(id), size, value, needed);
  }
}
EXPORT cl_context clCreateContext(const cl_context_properties* list, cl_uint, const cl_device_id*,
                                  void (*)(const char*, const void*, size_t, void*), void*, cl_int* error) {
  {
    const std::lock_guard lock(mutex);
    context_properties.clear();
    for (; list && list[0] != 0; list += 2) context_properties[list[0]] = list[1];
  }
  return make<cl_context>("clCreateContext", error);
}
EXPORT cl_int clReleaseContext(cl_context handle) { return release("clReleaseContext", handle); }
EXPORT cl_command_queue clCreateCommandQueue(cl_context, cl_device_id, cl_command_queue_properties,
                                             cl_int* error) {
  return make<cl_command_queue>("clCreateCommandQueue", error);
}
EXPORT cl_int clReleaseCommandQueue(cl_command_queue handle) {
  return release("clReleaseCommandQueue", handle);
}
EXPORT void* clGetExtensionFunctionAddressForPlatform(cl_platform_id, const char* name) {
  if (enter("clGetExtensionFunctionAddressForPlatform") != CL_SUCCESS) return nullptr;
  return std::string_view(name) == "clImportMemoryARM" ? reinterpret_cast<void*>(&import_arm) : nullptr;
}
EXPORT cl_mem clCreateBuffer(cl_context, cl_mem_flags flags, size_t bytes, void* data, cl_int* error) {
  if (flags & CL_MEM_EXT_HOST_PTR_QCOM) return import_qualcomm(flags, bytes, data, error);
  const bool in_place = (flags & CL_MEM_USE_HOST_PTR) != 0;
  const cl_mem handle = make<cl_mem>("clCreateBuffer", error, in_place ? 0 : bytes);
  if (handle && in_place) object_of(handle)->view = static_cast<char*>(data);
  if (handle && data && !in_place) std::memcpy(object_of(handle)->view, data, bytes);
  return handle;
}
EXPORT cl_mem clCreateSubBuffer(cl_mem whole, cl_mem_flags, cl_buffer_create_type, const void* region,
                                cl_int* error) {
  const cl_mem handle = make<cl_mem>("clCreateSubBuffer", error);
  if (handle)
    object_of(handle)->view = object_of(whole)->view + static_cast<const cl_buffer_region*>(region)->origin;
  return handle;
}
EXPORT cl_int clReleaseMemObject(cl_mem handle) { return release("clReleaseMemObject", handle); }
EXPORT cl_program clCreateProgramWithSource(cl_context, cl_uint, const char**, const size_t*, cl_int* error) {
  return make<cl_program>("clCreateProgramWithSource", error);
}
EXPORT cl_program clCreateProgramWithBinary(cl_context, cl_uint, const cl_device_id*, const size_t*,
                                            const unsigned char**, cl_int* status, cl_int* error) {
  const cl_program handle = make<cl_program>("clCreateProgramWithBinary", error);
  if (status) *status = handle ? CL_SUCCESS : CL_INVALID_BINARY;
  return handle;
}
EXPORT cl_int clBuildProgram(cl_program, cl_uint, const cl_device_id*, const char* options,
                             void (*)(cl_program, void*), void*) {
  {
    const std::lock_guard lock(mutex);
    build_options.insert(options);
  }
  if (const char* gate = std::getenv("SLUICE_FAKE_OPENCL_GATE")) {
    static std::once_flag once;  // opening it waits for who writes, reading it until they close it
    std::call_once(once, [gate] { std::ifstream(gate).get(); });
  }
  return enter("clBuildProgram");
}
EXPORT cl_int clGetProgramInfo(cl_program, cl_program_info what, size_t size, void* value, size_t* needed) {
  if (const cl_int error = enter("clGetProgramInfo")) return error;
  const std::size_t bytes = 4;
  if (what == CL_PROGRAM_BINARY_SIZES) return answer(&bytes, sizeof bytes, size, value, needed);
  if (value) std::memcpy(*static_cast<unsigned char**>(value), "fake", 4);
  return CL_SUCCESS;
}
EXPORT cl_int clGetProgramBuildInfo(cl_program, cl_device_id, cl_program_build_info, size_t size, void* value,
                                    size_t* needed) {
  if (const cl_int error = enter("clGetProgramBuildInfo")) return error;
  return answer("conv.cl:7: nothing is right here", size, value, needed);
}
EXPORT cl_int clReleaseProgram(cl_program handle) { return release("clReleaseProgram", handle); }
EXPORT cl_kernel clCreateKernel(cl_program, const char*, cl_int* error) {
  return make<cl_kernel>("clCreateKernel", error);
}
EXPORT cl_int clReleaseKernel(cl_kernel handle) { return release("clReleaseKernel", handle); }
EXPORT cl_int clSetKernelArg(cl_kernel, cl_uint index, size_t size, const void* value) {
  if (const cl_int error = enter("clSetKernelArg")) return error;
  const std::lock_guard lock(mutex);
  if (index < arguments.size() && size == sizeof(cl_mem))
    std::memcpy(static_cast<void*>(&arguments[index]), value, size);
  return CL_SUCCESS;
}
EXPORT cl_int clEnqueueNDRangeKernel(cl_command_queue, cl_kernel, cl_uint, const size_t*, const size_t*,
                                     const size_t*, cl_uint, const cl_event*, cl_event* event) {
  const cl_int error = enter("clEnqueueNDRangeKernel");
  if (error == CL_SUCCESS && event) *event = make<cl_event>("event", nullptr);
  return error;
}
EXPORT cl_int clEnqueueWriteBuffer(cl_command_queue, cl_mem handle, cl_bool, size_t offset, size_t bytes,
                                   const void* data, cl_uint, const cl_event*, cl_event*) {
  if (const cl_int error = enter("clEnqueueWriteBuffer")) return error;
  std::memcpy(object_of(handle)->view + offset, data, bytes);
  return CL_SUCCESS;
}
EXPORT cl_int clEnqueueReadBuffer(cl_command_queue, cl_mem handle, cl_bool, size_t offset, size_t bytes,
                                  void* data, cl_uint, const cl_event*, cl_event*) {
  if (const cl_int error = enter("clEnqueueReadBuffer")) return error;
  std::memcpy(data, object_of(handle)->view + offset, bytes);
  return CL_SUCCESS;
}
EXPORT void* clEnqueueMapBuffer(cl_command_queue, cl_mem handle, cl_bool, cl_map_flags, size_t offset, size_t,
                                cl_uint, const cl_event*, cl_event*, cl_int* error) {
  *error = enter("clEnqueueMapBuffer");
  return *error == CL_SUCCESS ? object_of(handle)->view + offset : nullptr;
}
EXPORT cl_int clEnqueueUnmapMemObject(cl_command_queue, cl_mem, void*, cl_uint, const cl_event*, cl_event*) {
  return enter("clEnqueueUnmapMemObject");
}
EXPORT cl_int clFinish(cl_command_queue) { return enter("clFinish"); }
EXPORT cl_int clGetEventProfilingInfo(cl_event, cl_profiling_info, size_t size, void* value, size_t* needed) {
  if (const cl_int error = enter("clGetEventProfilingInfo")) return error;
  const cl_ulong now = 1000;
  return answer(&now, sizeof now, size, value, needed);
}
EXPORT cl_int clReleaseEvent(cl_event handle) { return release("clReleaseEvent", handle); }

}  // extern "C"
