#include "backends/ort/library.h"

#include <dlfcn.h>

#include <cstdlib>

namespace sluice::ort {
namespace {

// The oldest whose functions we call (Session_GetEpGraphAssignmentInfo).
constexpr int kOldestApi = 24;

std::string folder_of_this_library() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&folder_of_this_library), &info) == 0 || !info.dli_fname)
    return {};
  const std::string path = info.dli_fname;
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

std::string path_of(const void* symbol, const std::string& fallback) {
  Dl_info info{};
  return ::dladdr(symbol, &info) != 0 && info.dli_fname ? info.dli_fname : fallback;
}

Result<Library> load_one(const std::string& path) {
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char* why = ::dlerror();
    return unavailable(why ? why : path + ": cannot be loaded");
  }
  using GetBase = const OrtApiBase* (*)();
  const auto get_base = reinterpret_cast<GetBase>(::dlsym(handle, "OrtGetApiBase"));
  if (!get_base) return unavailable(path + ": is not ONNX Runtime (no OrtGetApiBase)");
  const OrtApiBase* base = get_base();
  Library library{.version = base->GetVersionString(),
                  .path = path_of(reinterpret_cast<const void*>(get_base), path)};
  for (int version = ORT_API_VERSION; version >= kOldestApi && !library.api; --version) {
    library.api = base->GetApi(static_cast<std::uint32_t>(version));
    library.api_version = version;
  }
  if (!library.api)
    return unavailable(path + ": is ONNX Runtime " + library.version + ", 1." + std::to_string(kOldestApi) +
                       " or newer is needed");
  return library;
}

}  // namespace

std::vector<std::string> library_candidates() {
  if (const char* named = std::getenv("SLUICE_ONNXRUNTIME"); named && *named) return {named};
  std::vector<std::string> out;
  if (const std::string folder = folder_of_this_library(); !folder.empty())
    out.push_back(folder + "/libonnxruntime.so.1");
#ifdef SLUICE_ONNXRUNTIME_LIBRARY
  out.emplace_back(SLUICE_ONNXRUNTIME_LIBRARY);
#endif
  out.emplace_back("libonnxruntime.so.1");
  out.emplace_back("libonnxruntime.so");
  return out;
}

Result<Library> load_library(const std::vector<std::string>& candidates) {
  std::string tried;
  for (const std::string& path : candidates) {
    auto library = load_one(path);
    if (library.ok()) return library;
    tried += (tried.empty() ? "" : "; ") + library.status().message();
  }
  return unavailable("ONNX Runtime cannot be loaded (" + tried +
                     "); run tools/dev setup, or set SLUICE_ONNXRUNTIME to its libonnxruntime.so");
}

}  // namespace sluice::ort
