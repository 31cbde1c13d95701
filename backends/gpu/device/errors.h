// OpenCL error numbers as Status.
#pragma once

#include <string>
#include <string_view>

#include "backends/gpu/device/api.h"

namespace sluice::gpu {

// "CL_OUT_OF_RESOURCES (-5)"; "(-9999)" for a number that is no name of OpenCL's.
std::string name_of_error(cl_int error);

// The device, its context or its queue is gone: nothing that was made on it may be used again.
bool means_device_lost(cl_int error);
bool means_out_of_memory(cl_int error);

// Ok for CL_SUCCESS. `what` is the call and on what: "clBuildProgram of 'conv'". kUnavailable when memory ran
// out (a smaller model, another backend can still work) and for a lost device; else kFailed.
Status check(cl_int error, std::string_view what);

}  // namespace sluice::gpu
