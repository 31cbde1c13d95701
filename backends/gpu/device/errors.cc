#include "backends/gpu/device/errors.h"

#include <array>

#include "backends/gpu/ep/plugin.h"

namespace sluice::gpu {
namespace {

struct Name {
  cl_int error;
  const char* name;
};

#define SLUICE_CL_NAME(error) {error, #error}
constexpr std::array kNames = {
    Name SLUICE_CL_NAME(CL_DEVICE_NOT_FOUND),
    Name SLUICE_CL_NAME(CL_DEVICE_NOT_AVAILABLE),
    Name SLUICE_CL_NAME(CL_COMPILER_NOT_AVAILABLE),
    Name SLUICE_CL_NAME(CL_MEM_OBJECT_ALLOCATION_FAILURE),
    Name SLUICE_CL_NAME(CL_OUT_OF_RESOURCES),
    Name SLUICE_CL_NAME(CL_OUT_OF_HOST_MEMORY),
    Name SLUICE_CL_NAME(CL_PROFILING_INFO_NOT_AVAILABLE),
    Name SLUICE_CL_NAME(CL_BUILD_PROGRAM_FAILURE),
    Name SLUICE_CL_NAME(CL_MISALIGNED_SUB_BUFFER_OFFSET),
    Name SLUICE_CL_NAME(CL_INVALID_VALUE),
    Name SLUICE_CL_NAME(CL_INVALID_PLATFORM),
    Name SLUICE_CL_NAME(CL_INVALID_DEVICE),
    Name SLUICE_CL_NAME(CL_INVALID_CONTEXT),
    Name SLUICE_CL_NAME(CL_INVALID_QUEUE_PROPERTIES),
    Name SLUICE_CL_NAME(CL_INVALID_COMMAND_QUEUE),
    Name SLUICE_CL_NAME(CL_INVALID_MEM_OBJECT),
    Name SLUICE_CL_NAME(CL_INVALID_BINARY),
    Name SLUICE_CL_NAME(CL_INVALID_BUILD_OPTIONS),
    Name SLUICE_CL_NAME(CL_INVALID_PROGRAM),
    Name SLUICE_CL_NAME(CL_INVALID_PROGRAM_EXECUTABLE),
    Name SLUICE_CL_NAME(CL_INVALID_KERNEL_NAME),
    Name SLUICE_CL_NAME(CL_INVALID_KERNEL),
    Name SLUICE_CL_NAME(CL_INVALID_ARG_INDEX),
    Name SLUICE_CL_NAME(CL_INVALID_ARG_VALUE),
    Name SLUICE_CL_NAME(CL_INVALID_ARG_SIZE),
    Name SLUICE_CL_NAME(CL_INVALID_KERNEL_ARGS),
    Name SLUICE_CL_NAME(CL_INVALID_WORK_DIMENSION),
    Name SLUICE_CL_NAME(CL_INVALID_WORK_GROUP_SIZE),
    Name SLUICE_CL_NAME(CL_INVALID_WORK_ITEM_SIZE),
    Name SLUICE_CL_NAME(CL_INVALID_EVENT),
    Name SLUICE_CL_NAME(CL_INVALID_OPERATION),
    Name SLUICE_CL_NAME(CL_INVALID_BUFFER_SIZE),
    Name SLUICE_CL_NAME(CL_INVALID_GLOBAL_WORK_SIZE),
};
#undef SLUICE_CL_NAME

// What drivers answer after a fault on the device, beyond OpenCL's own numbers (NVIDIA's is one of them).
constexpr cl_int kVendorDeviceFault = -9999;
// cl_khr_icd: the loader found no platform.
constexpr cl_int kPlatformNotFound = -1001;

}  // namespace

std::string name_of_error(cl_int error) {
  std::string number = std::string("(").append(std::to_string(error)).append(")");
  if (error == kPlatformNotFound) return "CL_PLATFORM_NOT_FOUND_KHR " + number;
  for (const Name& entry : kNames)
    if (entry.error == error) return std::string(entry.name) + " " + number;
  return number;
}

bool means_device_lost(cl_int error) {
  return error == CL_DEVICE_NOT_AVAILABLE || error == CL_INVALID_CONTEXT ||
         error == CL_INVALID_COMMAND_QUEUE || error == kVendorDeviceFault;
}

bool means_out_of_memory(cl_int error) {
  return error == CL_MEM_OBJECT_ALLOCATION_FAILURE || error == CL_OUT_OF_HOST_MEMORY ||
         error == CL_OUT_OF_RESOURCES || error == CL_INVALID_BUFFER_SIZE;
}

Status check(cl_int error, std::string_view what) {
  if (error == CL_SUCCESS) return {};
  const std::string text = std::string(what) + " failed: " + name_of_error(error);
  if (means_device_lost(error)) return unavailable(std::string(kDeviceLost) + ": " + text);
  if (means_out_of_memory(error))
    return unavailable("the OpenCL device is out of memory or resources: " + text);
  return failed("OpenCL: " + text);
}

}  // namespace sluice::gpu
