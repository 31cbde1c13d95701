#include "quantize/module.h"

#include "quantize/npz.h"

namespace sluice::quantize {
namespace {

class TheModule final : public Module {
 public:
  Result<std::unique_ptr<Quantizer>> open_quantizer(const std::string& path,
                                                    const std::vector<InputShape>& shapes) const override {
    return quantize::open_quantizer(path, shapes);
  }
  Result<std::unique_ptr<Network>> open_network(const std::string& path,
                                                const std::vector<InputShape>& shapes) const override {
    return quantize::open_network(path, shapes);
  }
  std::string shell_model(const std::vector<InputInfo>& inputs) const override {
    return quantize::shell_model(inputs);
  }
  Result<std::unique_ptr<Samples>> open_npz(const std::string& path,
                                            const std::vector<InputInfo>& inputs) const override {
    return quantize::open_npz(path, inputs);
  }
};

}  // namespace
}  // namespace sluice::quantize

extern "C" const sluice::quantize::Module* sluice_quantize_module() {
  static const sluice::quantize::TheModule module;
  return &module;
}
