#include "inference/backend_options.h"

#include "framework/node/sections.h"

namespace sluice {

std::vector<std::string> backend_names() {
  std::vector<std::string> out;
  for (const OptionDeclaration& backend : backends_section()) out.push_back(backend.name);
  return out;
}

const std::vector<OptionDeclaration>& backend_options(std::string_view backend) {
  static const std::vector<OptionDeclaration> kNone;
  for (const OptionDeclaration& declared : backends_section())
    if (declared.name == backend) return declared.children;
  return kNone;
}

OptionMap with_defaults(std::string_view backend, OptionMap written) {
  for (const OptionDeclaration& option : backend_options(backend)) {
    OptionValue& value = written[option.name];
    if (value.is_null()) value = option.fallback;
  }
  return written;
}

bool backend_waits(std::string_view backend) { return backend != "cpu"; }

}  // namespace sluice
