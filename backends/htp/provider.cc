#include "backends/htp/provider.h"

#include <dlfcn.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string_view>

#include "framework/core/log.h"
#include "framework/core/standard_output.h"
#include "inference/model_file.h"

namespace sluice::htp {
namespace {

namespace fs = std::filesystem;

// The beginning of QnnInterface_t, interface version 2 (QnnInterface.h of QAIRT): the part that says its
// versions.
struct QnnVersion {
  std::uint32_t major, minor, patch;
};
struct QnnInterface {
  std::uint32_t backend_id;
  const char* provider_name;
  QnnVersion api, backend;
  void* not_called[4];
  std::uint64_t (*get_build_id)(const char** id);  // "v2.51.0.260929181845"
};
constexpr std::uint32_t kInterfaceVersion = 2;
using GetProviders = std::uint64_t (*)(const QnnInterface*** providers, std::uint32_t* count);

std::string text_of(const QnnVersion& version) {
  return std::to_string(version.major) + "." + std::to_string(version.minor) + "." +
         std::to_string(version.patch);
}

// Its known line is for whoever looks for it; anything else may be another thread's, or matter.
void log_chatter(const std::string& library, const std::string& text) {
  constexpr std::string_view kKnown = "LIBNATIVE";
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    const bool known = line.find(kKnown) != std::string::npos;
    log_message(known ? LogLevel::kDebug : LogLevel::kInfo,
                "on standard output while " + library + " was loaded: " + line);
  }
}

std::string folder_of_this_library() {
  Dl_info info{};
  const auto* here = reinterpret_cast<const void*>(&provider_folders);
  if (::dladdr(here, &info) == 0 || !info.dli_fname) return {};
  return fs::path(info.dli_fname).parent_path();
}

// The provider asks for it by its bare name. What is loaded already has that name: neither another release in
// LD_LIBRARY_PATH, nor AddressSanitizer (whose dlopen looks beside itself instead of beside the caller) comes
// between. Never unloaded, as the backend.
Status load_system(const std::string& path) {
  if (::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) return {};
  const char* why = ::dlerror();
  return unavailable(why ? why : path + ": cannot be loaded");
}

std::string state_of(const std::string& path) {
  const auto stamp = ModelFile::stamp_of(path);
  if (!stamp.ok()) return {};
  return std::to_string(stamp->size) + "@" + std::to_string(stamp->modified_ns);
}

}  // namespace

std::vector<std::string> provider_folders() {
  if (const char* named = std::getenv("SLUICE_QNN"); named && *named) return {named};
  std::vector<std::string> out;
  if (const std::string folder = folder_of_this_library(); !folder.empty()) out.push_back(folder);
#ifdef SLUICE_QNN_FOLDER
  out.emplace_back(SLUICE_QNN_FOLDER);
#endif
  return out;
}

Result<ProviderFiles> find_provider(const std::vector<std::string>& folders) {
  std::string tried;
  for (const std::string& folder : folders) {
    std::error_code error;
    tried += (tried.empty() ? "'" : "', '") + folder;
    if (!fs::exists(fs::path(folder) / kProviderFile, error)) continue;
    // Real paths: ONNX Runtime takes relative ones to be relative to its own folder.
    const fs::path real = fs::canonical(folder, error);
    const ProviderFiles files{real / kProviderFile, real / kBackendFile, real / kSystemFile};
    std::string missing;
    for (const std::string& file : {files.backend, files.system})
      if (!fs::exists(file, error))
        missing += (missing.empty() ? "" : ", ") + fs::path(file).filename().string();
    if (missing.empty()) return files;
    return unavailable(missing + (missing.find(',') == std::string::npos ? " is" : " are") + " missing in '" +
                       real.string() + "', beside QNN's execution provider; run tools/dev setup again");
  }
  return unavailable(std::string("QNN's execution provider (") + kProviderFile + ") is not in " +
                     (tried.empty() ? "any known folder" : tried + "'") +
                     "; run tools/dev setup, or set SLUICE_QNN to its folder");
}

Result<std::shared_ptr<Provider>> Provider::get() {
  static const Result<std::shared_ptr<Provider>> instance = []() -> Result<std::shared_ptr<Provider>> {
    SLUICE_ASSIGN(const ProviderFiles files, find_provider(provider_folders()));
    return open(files);
  }();
  return instance;
}

Result<std::shared_ptr<Provider>> Provider::open(const ProviderFiles& files) {
  SLUICE_ASSIGN(auto runtime, ort::Runtime::get());
  std::shared_ptr<Provider> provider(new Provider(std::move(runtime)));
  if (!files.backend.empty()) SLUICE_RETURN_IF_ERROR(provider->load_backend(files.backend));
  if (!files.system.empty()) SLUICE_RETURN_IF_ERROR(load_system(files.system));
  SLUICE_RETURN_IF_ERROR(provider->register_at_runtime(files.provider));
  provider->fingerprint_ =
      provider->version_ + " " + state_of(files.provider) + " " + state_of(files.backend);
  return provider;
}

// Loaded here first, and never unloaded, because it prints a line to standard output when it is.
Status Provider::load_backend(const std::string& path) {
  void* handle = nullptr;
  std::string printed;
  {
    StandardOutputAside aside;
    handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    printed = aside.take();
  }
  log_chatter(fs::path(path).filename(), printed);
  if (!handle) {
    const char* why = ::dlerror();
    return unavailable(why ? why : path + ": cannot be loaded");
  }
  const auto get = reinterpret_cast<GetProviders>(::dlsym(handle, "QnnInterface_getProviders"));
  const QnnInterface** interfaces = nullptr;
  std::uint32_t count = 0;
  const char* build = nullptr;
  if (!get || get(&interfaces, &count) != 0 || count == 0 || interfaces[0]->api.major != kInterfaceVersion ||
      interfaces[0]->get_build_id(&build) != 0 || !build)
    return unavailable("'" + path + "' is no library of QNN 2");
  qairt_ = build[0] == 'v' ? build + 1 : build;
  version_ = "QAIRT " + qairt_ + ", HTP " + text_of(interfaces[0]->backend);
  return {};
}

Status Provider::register_at_runtime(const std::string& path) {
  try {
    Ort::ThrowOnError(runtime_->api().RegisterExecutionProviderLibrary(runtime_->env(), kName, path.c_str()));
    registered_ = true;
    for (const Ort::ConstEpDevice& device : runtime_->env().GetEpDevices())
      if (device.EpName() == std::string_view(kName)) device_ = device;
  } catch (const std::exception& error) {
    return unavailable(ort::explain(error.what()));
  }
  if (!static_cast<const OrtEpDevice*>(device_))
    return unavailable("'" + path + "' was loaded, but offers no device on this machine");
  return {};
}

Provider::~Provider() {
  if (!registered_) return;
  const Ort::Status done(runtime_->api().UnregisterExecutionProviderLibrary(runtime_->env(), kName));
}

}  // namespace sluice::htp
