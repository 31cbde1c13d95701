// An execution provider for one session: decides what it takes, compiles it, runs it.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "backends/gpu/device/context.h"
#include "backends/gpu/ep/api.h"
#include "backends/gpu/plan/executable.h"

namespace sluice::gpu {

struct ProviderOptions {
  std::string precision = "auto";
  std::string kernels = "auto";
  bool profile = false;
  std::string profile_path;
  bool tune = false;
  Hints hints;
  // Allowed values, or kInvalid.
  static Result<ProviderOptions> read(const OrtSessionOptions* session);
};

// Called by ONNX Runtime through the function pointers of OrtEp; lives as long as the session.
class Provider : public OrtEp {
 public:
  Provider(std::shared_ptr<Context> context, ProviderOptions options, const OrtLogger* logger);
  ~Provider();
  Executable* executable(const std::string& fused_node) const;

 private:
  OrtStatus* get_capability(const OrtGraph* graph, OrtEpGraphSupportInfo* info) const;
  OrtStatus* compile(const OrtGraph** graphs, const OrtNode** fused, std::size_t count,
                     OrtNodeComputeInfo** infos);
  Status compile_one(const OrtGraph* graph, const OrtNode* fused);
  void log(OrtLoggingLevel level, const std::string& text) const;
  void tell_times() const;
  Result<Recipe> recipe_for(const Graph& graph, int lanes) const;
  Result<std::unique_ptr<Executable>> make(const Graph& graph) const;
  Result<std::unique_ptr<Executable>> make_tuned(const Graph& graph) const;
  int lanes() const;
  bool half() const;

  const std::shared_ptr<Context> context_;
  const ProviderOptions options_;
  const OrtLogger* const logger_;
  std::unordered_map<std::string, std::unique_ptr<Executable>> executables_;  // by the fused node's name
};

// A Status as ONNX Runtime's; null for Ok.
OrtStatus* to_ort(const Status& status);

}  // namespace sluice::gpu
