#include "backends/gpu/device/device_name.h"

#include <algorithm>
#include <cctype>

namespace sluice::gpu {
namespace {

std::string in_lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// "'cpu-znver3' of 'Portable Computing Language', ..."
std::string listed(const std::vector<DeviceName>& devices) {
  std::string out;
  for (const DeviceName& name : devices)
    out += (out.empty() ? "'" : ", '") + name.device + "' of '" + name.platform + "'";
  return out.empty() ? "none" : out;
}

}  // namespace

Result<std::size_t> choose_by_name(const std::vector<DeviceName>& devices, const std::string& wanted) {
  const std::string text = in_lower_case(wanted);
  if (!devices.empty() && (text.empty() || text == "auto")) return std::size_t{0};
  std::vector<DeviceName> meant;  // each once
  std::size_t first = 0;
  for (std::size_t i = 0; i < devices.size(); ++i) {
    const std::string device = in_lower_case(devices[i].device);
    if (device == text) return i;
    const bool has = (device + "\n" + in_lower_case(devices[i].platform)).find(text) != std::string::npos;
    if (!has || std::ranges::find(meant, devices[i]) != meant.end()) continue;
    if (meant.empty()) first = i;
    meant.push_back(devices[i]);
  }
  if (meant.size() == 1) return first;
  if (meant.empty())
    return unavailable("no OpenCL device is called '" + wanted + "'; there are: " + listed(devices));
  return unavailable("'" + wanted + "' names more than one OpenCL device: " + listed(meant) +
                     "; write more of the name");
}

}  // namespace sluice::gpu
