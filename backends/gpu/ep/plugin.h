// The ONNX Runtime plugin: names and options that its users (backends/gpu/gpu_backend.cc) share with it.
#pragma once

#include <cstdint>

#include "framework/core/log.h"

namespace sluice::gpu {

inline constexpr const char* kProviderName = "SluiceOpenCLExecutionProvider";
inline constexpr const char* kVersion = "1.0.0";

// Keys of the session's options, given as they are to AppendExecutionProvider_V2; ONNX Runtime hands them on
// as "ep.<provider in lower case>.<key>".
inline constexpr const char* kOptionPrefix = "ep.sluiceopenclexecutionprovider.";
// How tensors are stored; auto (default): float16 on a GPU that computes in it, else float32.
inline constexpr const char* kPrecision = "precision";  // auto, fp16, fp32
inline constexpr const char* kKernels = "kernels";      // auto (default), float4, wide: the kernel set
inline constexpr const char* kTune = "tune";  // 1: measure kernel sets and local sizes, and keep them
// Hints to Qualcomm's drivers: none (default), low, normal, high.
inline constexpr const char* kPerformance = "performance";
inline constexpr const char* kPriority = "priority";
inline constexpr const char* kProfile = "profile";  // 1: time every kernel, and wait for it
// With `profile`: a file that gets, when the session ends, a line "microseconds,operator" for each operator
// that ran here; else the times of the kernels go to the log.
inline constexpr const char* kProfilePath = "profile_path";

// Metadata of a device that the plugin offers: which OpenCL device stands behind it.
inline constexpr const char* kDeviceNameKey = "opencl_device";
inline constexpr const char* kPlatformNameKey = "opencl_platform";
inline constexpr const char* kDeviceTextKey = "opencl_description";

// `extern "C" const char* sluice_gpu_why_unavailable()`: null, or why the plugin offers no device; never
// freed.
inline constexpr const char* kWhyUnavailable = "sluice_gpu_why_unavailable";

// How every message about a lost device starts (device/errors.cc): its session must be made anew.
inline constexpr const char* kDeviceLost = "the OpenCL device is lost";

// `extern "C" void sluice_gpu_set_log(LogSink)`: where the plugin's own messages go.
inline constexpr const char* kSetLog = "sluice_gpu_set_log";

// `extern "C" PictureMaker* sluice_gpu_open_pictures(const std::string& device, Status& why)`: the caller's;
// null: `why` says what is missing.
inline constexpr const char* kOpenPictures = "sluice_gpu_open_pictures";

// `extern "C" void sluice_gpu_counts(PluginCounts*)`.
inline constexpr const char* kCounts = "sluice_gpu_counts";
struct PluginCounts {
  std::uint64_t programs_built = 0;   // from source, since the process started
  std::uint64_t programs_loaded = 0;  // from the artefact cache
  std::uint64_t unkept = 0;           // entries that the artefact cache did not take
  std::uint64_t bytes_copied = 0;     // by runs, between host and device
  std::uint64_t tuned = 0;            // clusters that were made as tuning found it best on their device
  // Of the cluster that was compiled last: launches per run; bytes of inputs and outputs;
  // activations with and without sharing; weights and tables.
  std::uint64_t kernels = 0, bytes_in = 0, bytes_out = 0, arena = 0, unshared = 0, constants = 0;
};

}  // namespace sluice::gpu
