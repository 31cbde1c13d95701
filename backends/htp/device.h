// What a Linux device needs so that its NPU can be reached: the kernel's FastRPC nodes and the skeleton
// library that runs on the NPU.
#pragma once

#include <string>
#include <vector>

namespace sluice::htp {

struct DeviceState {
  std::vector<std::string> nodes;      // FastRPC nodes that are there
  std::vector<std::string> unusable;   // of those: may not be opened by this user
  std::vector<std::string> searched;   // folders looked in for skeletons, in the loader's order
  std::vector<std::string> skeletons;  // libQnnHtpV*Skel.so found there
};

// Looks under `root`. `search_path`: ADSP_LIBRARY_PATH's value (folders separated by ';'); `provider`: the
// folder of the provider's libraries.
DeviceState look_at_device(const std::string& root, const std::string& search_path,
                           const std::string& provider);

}  // namespace sluice::htp
