// ONNX Runtime in this process: the library, its one environment, and what it last complained about.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backends/ort/api.h"
#include "backends/ort/library.h"
#include "framework/core/status.h"

namespace sluice::ort {

// Held by every session, so that the environment is destroyed after the last of them (any other order
// crashes). The process keeps one reference until it exits. Thread-safe.
class Runtime {
 public:
  // Loads the library and makes the environment with the first call; later calls answer the same.
  // kUnavailable.
  static Result<std::shared_ptr<Runtime>> get();
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  const Library& library() const { return library_; }
  const OrtApi& api() const { return *library_.api; }
  const Ort::Env& env() const { return env_; }
  Ort::Env& env() { return env_; }

  // Registers a provider's library once under this name; it is unregistered before the environment ends.
  // `path` is absolute (ONNX Runtime resolves relative ones against its own folder). kUnavailable.
  Status register_plugin(const std::string& name, const std::string& path);

 private:
  explicit Runtime(Library library);
  static Result<std::shared_ptr<Runtime>> create();

  Library library_;
  Ort::Env env_{nullptr};
  std::mutex mutex_;                  // of plugins_
  std::vector<std::string> plugins_;  // by name
};

// What ONNX Runtime logged at warning level or above in this thread since the last call of `forget_warnings`,
// newest last and cut to a few lines; its errors rarely say why. Empty: nothing.
std::string recent_warnings();
void forget_warnings();

// "ONNX Runtime: MESSAGE (WARNINGS)".
std::string explain(const std::string& message);

}  // namespace sluice::ort
