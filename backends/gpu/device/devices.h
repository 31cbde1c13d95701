// Which OpenCL devices there are, and which one is meant by a name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backends/gpu/device/api.h"

namespace sluice::gpu {

struct DeviceInfo {
  cl_platform_id platform = nullptr;
  cl_device_id id = nullptr;
  cl_device_type type = 0;
  std::uint32_t vendor_id = 0;
  std::string name, vendor, version, driver, platform_name, extensions;
  std::size_t max_allocation = 0;    // bytes of one buffer
  std::size_t base_alignment = 128;  // bytes; of sub-buffer offsets
  std::size_t max_work_group = 1;    // work items
  cl_uint register_floats = 0;       // that a register holds; 0: unknown
  bool host_unified = false;         // it can work in the host's memory

  bool is_cpu() const { return (type & CL_DEVICE_TYPE_CPU) != 0; }
  // Output channels that a work item of a convolution may make of 4 pixels, 32, 16 or 8: their sums stay in
  // registers. A Mali has 64 of them per work item, which 16 channels fill alone; a CPU whose registers hold
  // 16 floats has 32 of these.
  int widest_tile() const;
  bool has_extension(std::string_view extension) const;
  // "Adreno 643 (Qualcomm, OpenCL 3.0, driver 0676.42)"
  std::string text() const;
};

// All devices of all platforms, GPUs first, then other accelerators, then CPUs. A platform or device that
// fails to describe itself is left out. kUnavailable when there is none.
Result<std::vector<DeviceInfo>> list_devices(const Api& api);

// The one that `wanted` means by the rules of device_name.h. kUnavailable, with the names that are there:
// none has it, or several different ones do.
Result<DeviceInfo> choose_device(const std::vector<DeviceInfo>& devices, const std::string& wanted);

}  // namespace sluice::gpu
