// Qualcomm's execution provider in this process: its libraries, its one registration.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backends/ort/runtime.h"
#include "framework/core/status.h"

namespace sluice::htp {

// True where QNN's HTP library is Qualcomm's simulator: there is no Hexagon beside an x86-64 processor.
#if defined(__x86_64__)
inline constexpr bool kSimulator = true;
#else
inline constexpr bool kSimulator = false;
#endif

// Folders where the libraries are looked for, in order: SLUICE_QNN alone when it is set; else beside our own
// library, and where `tools/dev setup` put them when Sluice was built.
std::vector<std::string> provider_folders();

inline constexpr const char* kProviderFile = "libonnxruntime_providers_qnn.so";
inline constexpr const char* kBackendFile = "libQnnHtp.so";
inline constexpr const char* kSystemFile = "libQnnSystem.so";

struct ProviderFiles {
  std::string provider;  // libonnxruntime_providers_qnn.so
  std::string backend;   // libQnnHtp.so
  std::string system;    // libQnnSystem.so: reads compiled contexts
};
// The first folder that has the provider. kUnavailable naming each missing file.
Result<ProviderFiles> find_provider(const std::vector<std::string>& folders);

// Held by every session: the provider is unregistered after the last of them and before ONNX Runtime's
// environment goes; any other order crashes. Thread-safe.
class Provider {
 public:
  // Loads and registers with the first call. The process keeps one reference until it exits, so sessions come
  // and go without loading 100 MB again. kUnavailable.
  static Result<std::shared_ptr<Provider>> get();
  // The same for a library of the caller's; `backend` may be empty. At most one may be alive.
  static Result<std::shared_ptr<Provider>> open(const ProviderFiles& files);
  ~Provider();
  Provider(const Provider&) = delete;
  Provider& operator=(const Provider&) = delete;

  const std::shared_ptr<ort::Runtime>& runtime() const { return runtime_; }
  const Ort::ConstEpDevice& device() const { return device_; }
  // "QAIRT 2.51.0.260929181845, HTP 5.51.0"; empty without a backend library.
  const std::string& version() const { return version_; }
  // "2.51.0.260929181845"; empty without a backend library.
  const std::string& qairt() const { return qairt_; }
  // Tells one installation from another: versions, and size and time of the libraries.
  const std::string& fingerprint() const { return fingerprint_; }

  static constexpr const char* kName = "QNNExecutionProvider";

 private:
  explicit Provider(std::shared_ptr<ort::Runtime> runtime) : runtime_(std::move(runtime)) {}
  Status load_backend(const std::string& path);
  Status register_at_runtime(const std::string& path);

  const std::shared_ptr<ort::Runtime> runtime_;
  Ort::ConstEpDevice device_{nullptr};
  bool registered_ = false;
  std::string version_, qairt_, fingerprint_;
};

}  // namespace sluice::htp
