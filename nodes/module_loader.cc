#include "nodes/module_loader.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>
#include <string>

namespace sluice {
namespace {

// The folder of the file this code was linked into: libsluice.
Result<std::filesystem::path> library_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&library_folder), &info) == 0 || info.dli_fname == nullptr) {
    return unavailable("cannot tell where the sluice library lies, so its modules cannot be found");
  }
  std::error_code error;
  const std::filesystem::path file = std::filesystem::weakly_canonical(info.dli_fname, error);
  if (error)
    return unavailable(
        fmt::format("'{}': {}; modules beside it cannot be found", info.dli_fname, error.message()));
  return file.parent_path();
}

std::string last_loader_error() {
  const char* text = dlerror();
  return text != nullptr ? text : "unknown error";
}

}  // namespace

Result<void*> module_symbol(std::string_view module, const char* symbol) {
  SLUICE_ASSIGN(const std::filesystem::path folder, library_folder());
  const std::string path = (folder / "sluice" / fmt::format("sluice_{}.so", module)).string();
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return unavailable(
        fmt::format("the {} module is missing: there is no '{}'; install it with the library", module, path));
  }
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) {
    return unavailable(fmt::format("the {} module cannot be loaded: {}; a library it needs may be missing",
                                   module, last_loader_error()));
  }
  void* const found = dlsym(handle, symbol);
  if (found == nullptr) {
    return unavailable(
        fmt::format("'{}' has no '{}': it is of another version than the library", path, symbol));
  }
  return found;
}

Result<std::unique_ptr<Node>> create_from_module(std::string_view module, const char* factory) {
  SLUICE_ASSIGN(void* const symbol, module_symbol(module, factory));
  using Factory = Node* (*)();
  return std::unique_ptr<Node>(reinterpret_cast<Factory>(symbol)());
}

}  // namespace sluice
