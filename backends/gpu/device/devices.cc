#include "backends/gpu/device/devices.h"

#include <algorithm>

#include "backends/gpu/device/device_name.h"
#include "backends/gpu/device/errors.h"

namespace sluice::gpu {
namespace {

std::string device_text(const Api& api, cl_device_id id, cl_device_info what) {
  std::size_t size = 0;
  if (api.clGetDeviceInfo(id, what, 0, nullptr, &size) != CL_SUCCESS || size == 0) return {};
  std::string text(size, '\0');
  if (api.clGetDeviceInfo(id, what, size, text.data(), nullptr) != CL_SUCCESS) return {};
  text.resize(text.find_last_not_of(std::string("\0 ", 2)) + 1);
  return text;
}

std::string platform_text(const Api& api, cl_platform_id id, cl_platform_info what) {
  std::size_t size = 0;
  if (api.clGetPlatformInfo(id, what, 0, nullptr, &size) != CL_SUCCESS || size == 0) return {};
  std::string text(size, '\0');
  if (api.clGetPlatformInfo(id, what, size, text.data(), nullptr) != CL_SUCCESS) return {};
  text.resize(text.find_last_not_of(std::string("\0 ", 2)) + 1);
  return text;
}

template <typename T>
bool device_value(const Api& api, cl_device_id id, cl_device_info what, T& value) {
  return api.clGetDeviceInfo(id, what, sizeof value, &value, nullptr) == CL_SUCCESS;
}

bool describe_device(const Api& api, cl_platform_id platform, cl_device_id id, DeviceInfo& info) {
  info.platform = platform;
  info.id = id;
  info.name = device_text(api, id, CL_DEVICE_NAME);
  info.vendor = device_text(api, id, CL_DEVICE_VENDOR);
  info.version = device_text(api, id, CL_DEVICE_VERSION);
  info.driver = device_text(api, id, CL_DRIVER_VERSION);
  info.extensions = device_text(api, id, CL_DEVICE_EXTENSIONS);
  info.platform_name = platform_text(api, platform, CL_PLATFORM_NAME);
  cl_uint vendor = 0;
  cl_uint align_bits = 0;
  cl_ulong allocation = 0;
  std::size_t group = 0;
  cl_bool usable = CL_FALSE;
  cl_bool unified = CL_FALSE;
  const bool good = device_value(api, id, CL_DEVICE_TYPE, info.type) &&
                    device_value(api, id, CL_DEVICE_VENDOR_ID, vendor) &&
                    device_value(api, id, CL_DEVICE_MEM_BASE_ADDR_ALIGN, align_bits) &&
                    device_value(api, id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, allocation) &&
                    device_value(api, id, CL_DEVICE_MAX_WORK_GROUP_SIZE, group) &&
                    device_value(api, id, CL_DEVICE_COMPILER_AVAILABLE, usable) && usable == CL_TRUE;
  info.host_unified = device_value(api, id, CL_DEVICE_HOST_UNIFIED_MEMORY, unified) && unified == CL_TRUE;
  device_value(api, id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT,
               info.register_floats);  // stays 0 where that fails
  info.vendor_id = vendor;
  info.max_allocation = allocation;
  info.max_work_group = std::max<std::size_t>(group, 1);
  info.base_alignment = std::max<std::size_t>(align_bits / 8, 128);
  return good && !info.name.empty();
}

int rank(const DeviceInfo& info) {
  if (info.type & CL_DEVICE_TYPE_GPU) return 0;
  return info.is_cpu() ? 2 : 1;
}

}  // namespace

bool DeviceInfo::has_extension(std::string_view extension) const {
  for (std::size_t at = extensions.find(extension); at != std::string::npos;
       at = extensions.find(extension, at + 1)) {
    const std::size_t end = at + extension.size();
    const bool starts = at == 0 || extensions[at - 1] == ' ';
    if (starts && (end == extensions.size() || extensions[end] == ' ')) return true;
  }
  return false;
}

int DeviceInfo::widest_tile() const {
  if (vendor == "ARM" || name.starts_with("Mali")) return 8;
  return is_cpu() && register_floats >= 16 ? 32 : 16;
}

std::string DeviceInfo::text() const {
  return name + " (" + platform_name + ", " + version + ", driver " + driver + ")";
}

Result<std::vector<DeviceInfo>> list_devices(const Api& api) {
  cl_uint count = 0;
  const cl_int error = api.clGetPlatformIDs(0, nullptr, &count);
  if (error != CL_SUCCESS || count == 0)
    return unavailable("there is no OpenCL platform: " + api.path + " found no driver" +
                       (error == CL_SUCCESS ? "" : " (" + name_of_error(error) + ")"));
  std::vector<cl_platform_id> platforms(count);
  if (const cl_int listed = api.clGetPlatformIDs(count, platforms.data(), nullptr); listed != CL_SUCCESS)
    return unavailable("the OpenCL platforms cannot be listed: " + name_of_error(listed));
  std::vector<DeviceInfo> out;
  for (cl_platform_id platform : platforms) {
    cl_uint devices = 0;
    if (api.clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, nullptr, &devices) != CL_SUCCESS) continue;
    std::vector<cl_device_id> ids(devices);
    if (devices == 0 ||
        api.clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, devices, ids.data(), nullptr) != CL_SUCCESS)
      continue;
    for (cl_device_id id : ids) {
      DeviceInfo info;
      if (describe_device(api, platform, id, info)) out.push_back(std::move(info));
    }
  }
  if (out.empty())
    return unavailable("no OpenCL platform of " + api.path + " has a usable device with a compiler");
  std::ranges::stable_sort(out, {}, rank);
  return out;
}

Result<DeviceInfo> choose_device(const std::vector<DeviceInfo>& devices, const std::string& wanted) {
  std::vector<DeviceName> names;
  names.reserve(devices.size());
  for (const DeviceInfo& device : devices) names.push_back({device.name, device.platform_name});
  SLUICE_ASSIGN(const std::size_t chosen, choose_by_name(names, wanted));
  return devices[chosen];
}

}  // namespace sluice::gpu
