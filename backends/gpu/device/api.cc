#include "backends/gpu/device/api.h"

#include <dlfcn.h>

#include <cstdlib>

namespace sluice::gpu {
namespace {

Result<Api> load_one(const std::string& path) {
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char* why = ::dlerror();
    return unavailable(why ? why : path + ": cannot be loaded");
  }
  Api api;
  api.path = path;
  std::string missing;
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(handle, name));
    if (!function) missing += (missing.empty() ? "" : ", ") + std::string(name);
  };
#define SLUICE_OPENCL_FIND(name) find(api.name, #name);
  SLUICE_OPENCL_FUNCTIONS(SLUICE_OPENCL_FIND)
#undef SLUICE_OPENCL_FIND
  if (!missing.empty()) return unavailable(path + ": is not OpenCL 1.2 or newer (it has no " + missing + ")");
  return api;
}

}  // namespace

std::vector<std::string> api_candidates() {
  if (const char* named = std::getenv("SLUICE_OPENCL"); named && *named) return {named};
  return {"libOpenCL.so.1", "libOpenCL.so", "/vendor/lib64/libOpenCL.so",
          "/system/vendor/lib64/libOpenCL.so"};
}

Result<Api> load_api(const std::vector<std::string>& candidates) {
  std::string tried;
  for (const std::string& path : candidates) {
    auto api = load_one(path);
    if (api.ok()) return api;
    tried += (tried.empty() ? "" : "; ") + api.status().message();
  }
  return unavailable(
      "OpenCL cannot be loaded (" + tried +
      "); install the GPU's driver and an OpenCL loader, or set SLUICE_OPENCL to its libOpenCL.so");
}

Result<const Api*> the_api() {
  static const Result<Api> api = load_api(api_candidates());
  if (!api.ok()) return api.status();
  return &*api;
}

}  // namespace sluice::gpu
