#include "runtime/chosen_device.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "framework/core/suggest.h"
#include "runtime/readings_trace.h"

namespace sluice {
namespace {

constexpr std::string_view kTrace = "trace:";

// The recording that the section names; null: none, or it has readings only.
Result<std::shared_ptr<const RecordedSelection>> recording_of(const OptionMap& section) {
  const Options options(section);
  if (!options.has("telemetry") || options.text("telemetry") != "trace" || !options.has("trace"))
    return std::shared_ptr<const RecordedSelection>();
  const std::string file = recording_file(options.text("trace"));
  SLUICE_RETURN_IF_ERROR(read_trace(file, false).status());  // its other lines are whole, too
  SLUICE_ASSIGN(auto recorded, read_selection(file));
  if (!recorded) return std::shared_ptr<const RecordedSelection>();
  return std::shared_ptr<const RecordedSelection>(
      std::make_shared<const RecordedSelection>(std::move(*recorded)));
}

}  // namespace

Result<ChosenDevice> choose_device(const std::string& option, const OptionMap& section) {
  const bool known =
      option.empty() || option == "real" ||
      std::ranges::any_of(std::array{std::string_view("sim:"), kTrace}, [&](std::string_view kind) {
        return option.starts_with(kind) && option.size() > kind.size();
      });
  if (!known)
    return invalid("device is " + in_quotes(option) + ", allowed: real, sim:PROFILE, trace:RECORDING");
  ChosenDevice out{option.empty() ? "real" : option, section, nullptr};
  const bool whole = option.starts_with(kTrace);
  if (whole) {
    out.telemetry["telemetry"] = OptionValue{std::string("trace")};
    out.telemetry["trace"] = OptionValue{option.substr(kTrace.size())};
  }
  auto recorded = recording_of(out.telemetry);
  if (!recorded.ok()) return recorded.status().with_context(whole ? "--device: " : "device: trace: ");
  out.replay = std::move(*recorded);
  if (!whole) return out;
  if (!out.replay)
    return invalid("--device: '" + option.substr(kTrace.size()) +
                   "' has readings and no decisions; a recording of `run --record` has both where a node has "
                   "something to choose");
  out.name = out.replay->device;
  return out;
}

}  // namespace sluice
