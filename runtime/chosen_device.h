// What a run runs on and where its readings come from: `--device` and the file's `device` together. Private
// to runtime.
#pragma once

#include <memory>
#include <string>

#include "framework/node/options.h"
#include "runtime/selection_record.h"

namespace sluice {

struct ChosenDevice {
  std::string name;                                 // "real" or "sim:PROFILE"
  OptionMap telemetry;                              // the `device` section in force
  std::shared_ptr<const RecordedSelection> replay;  // null: the selector decides for itself
};

// `option`: empty, "real", "sim:PROFILE", or "trace:PATH", a recording: what that ran on, with its readings
// and decisions. `section`: of the file; `telemetry: trace` with a whole recording replays its decisions too.
// kInvalid: another word, or a recording that is none.
Result<ChosenDevice> choose_device(const std::string& option, const OptionMap& section);

}  // namespace sluice
