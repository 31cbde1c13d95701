#include "runtime/device_check.h"

#include "simulation/profile_reader.h"

namespace sluice {

Status check_telemetry(const OptionMap& device) {
  const Options options(device);
  const std::string& source = options.text("telemetry");
  if (source == "trace" && !options.has("trace"))
    return invalid("device: telemetry is 'trace', and 'trace' does not name the recording (readings.jsonl)");
  if (source != "simulated") return {};
  if (!options.has("profile"))
    return invalid("device: telemetry is 'simulated', and 'profile' does not name a device, such as generic");
  return load_profile(options.text("profile")).status().with_context("device: profile: ");
}

}  // namespace sluice
