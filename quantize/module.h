// The quantiser is a module beside the library (lib/sluice/sluice_quantize.so): it brings the onnx library
// and protobuf, which no pipeline needs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "framework/core/status.h"
#include "quantize/network.h"
#include "quantize/quantizer.h"
#include "quantize/samples.h"

namespace sluice::quantize {

// What the module offers; it lives as long as the process.
class Module {
 public:
  virtual ~Module() = default;
  // As in quantizer.h.
  virtual Result<std::unique_ptr<Quantizer>> open_quantizer(const std::string& path,
                                                            const std::vector<InputShape>& shapes) const = 0;
  // As in network.h.
  virtual Result<std::unique_ptr<Network>> open_network(const std::string& path,
                                                        const std::vector<InputShape>& shapes) const = 0;
  virtual std::string shell_model(const std::vector<InputInfo>& inputs) const = 0;
  // As in npz.h.
  virtual Result<std::unique_ptr<Samples>> open_npz(const std::string& path,
                                                    const std::vector<InputInfo>& inputs) const = 0;
};

// `extern "C" const Module* sluice_quantize_module()` is the module's one symbol.
constexpr const char* kModuleSymbol = "sluice_quantize_module";
using ModuleFunction = const Module* (*)();

}  // namespace sluice::quantize
