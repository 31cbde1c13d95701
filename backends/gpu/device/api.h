// The OpenCL functions we call, found at run time: a machine without libOpenCL still starts.
#pragma once

#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 120
#endif
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>

#include <string>
#include <vector>

#include "framework/core/status.h"

namespace sluice::gpu {

// OpenCL 1.2: what Adreno 5xx, Mali Midgard and everything newer have.
#define SLUICE_OPENCL_FUNCTIONS(X)            \
  X(clGetPlatformIDs)                         \
  X(clGetPlatformInfo)                        \
  X(clGetDeviceIDs)                           \
  X(clGetDeviceInfo)                          \
  X(clGetExtensionFunctionAddressForPlatform) \
  X(clCreateContext)                          \
  X(clReleaseContext)                         \
  X(clCreateCommandQueue)                     \
  X(clReleaseCommandQueue)                    \
  X(clCreateBuffer)                           \
  X(clCreateSubBuffer)                        \
  X(clReleaseMemObject)                       \
  X(clCreateProgramWithSource)                \
  X(clCreateProgramWithBinary)                \
  X(clBuildProgram)                           \
  X(clGetProgramInfo)                         \
  X(clGetProgramBuildInfo)                    \
  X(clReleaseProgram)                         \
  X(clCreateKernel)                           \
  X(clReleaseKernel)                          \
  X(clSetKernelArg)                           \
  X(clEnqueueNDRangeKernel)                   \
  X(clEnqueueWriteBuffer)                     \
  X(clEnqueueReadBuffer)                      \
  X(clEnqueueMapBuffer)                       \
  X(clEnqueueUnmapMemObject)                  \
  X(clFinish)                                 \
  X(clGetEventProfilingInfo)                  \
  X(clReleaseEvent)

struct Api {
#define SLUICE_OPENCL_MEMBER(name) decltype(&::name) name = nullptr;
  SLUICE_OPENCL_FUNCTIONS(SLUICE_OPENCL_MEMBER)
#undef SLUICE_OPENCL_MEMBER
  std::string path;  // of the file that was loaded
};

// Where libOpenCL is looked for, in order: SLUICE_OPENCL alone when it is set; else the loader's names for it
// and the places where Android and vendors' images keep it.
std::vector<std::string> api_candidates();

// The first candidate that loads and has every function; it is never unloaded (drivers keep threads).
// kUnavailable with every candidate and why it failed.
Result<Api> load_api(const std::vector<std::string>& candidates);

// The process's one: api_candidates(), loaded with the first call. Thread-safe; the pointer is never freed.
Result<const Api*> the_api();

}  // namespace sluice::gpu
