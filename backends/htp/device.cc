#include "backends/htp/device.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

namespace sluice::htp {
namespace {

namespace fs = std::filesystem;

// Names of the kernel's FastRPC driver: mainline's (the compute DSP is where HTP lives), and the vendor's.
constexpr std::array kNodes = {"/dev/fastrpc-cdsp", "/dev/fastrpc-cdsp-secure", "/dev/adsprpc-smd",
                               "/dev/adsprpc-smd-secure"};
// Where FastRPC looks when ADSP_LIBRARY_PATH names nothing.
constexpr std::array kDefaultFolders = {"/usr/lib/rfsa/adsp", "/vendor/lib/rfsa/adsp", "/dsp", "/vendor/dsp"};

fs::path under(const std::string& root, const std::string& path) {
  return fs::path(root) / fs::path(path).relative_path();
}

void add_skeletons(const std::string& root, const std::string& folder, DeviceState& state) {
  state.searched.push_back(folder);
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(under(root, folder), error)) {
    const std::string name = entry.path().filename();
    if (name.starts_with("libQnnHtpV") && name.ends_with("Skel.so"))
      state.skeletons.push_back(folder + "/" + name);
  }
}

}  // namespace

DeviceState look_at_device(const std::string& root, const std::string& search_path,
                           const std::string& provider) {
  DeviceState state;
  std::error_code error;
  for (const char* node : kNodes) {
    const fs::path path = under(root, node);
    if (!fs::exists(path, error)) continue;
    state.nodes.emplace_back(node);
    if (::access(path.c_str(), R_OK | W_OK) != 0) state.unusable.emplace_back(node);
  }
  std::string rest = search_path;
  while (!rest.empty()) {
    const std::size_t end = rest.find(';');
    if (end != 0) add_skeletons(root, rest.substr(0, end), state);
    rest = end == std::string::npos ? "" : rest.substr(end + 1);
  }
  if (!provider.empty()) add_skeletons(root, provider, state);
  for (const char* folder : kDefaultFolders) add_skeletons(root, folder, state);
  std::ranges::sort(state.skeletons);
  return state;
}

}  // namespace sluice::htp
