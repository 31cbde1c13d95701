// `--data` and `--preprocess` of the commands that feed a model: quantize, compare.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/status.h"
#include "quantize/module.h"
#include "quantize/samples.h"
#include "tools/sluice/interrupts.h"
#include "tools/sluice/temporary_file.h"

namespace sluice::cli {

// The quantiser's module. kUnavailable: it or a library it needs is missing.
Result<const quantize::Module*> quantize_module();

struct DataRequest {
  std::string data;        // a folder, a picture, a video, or an .npz
  std::string preprocess;  // FILE#NODE; empty: `noted`, else the default
  std::string noted;       // how the model says its pictures are prepared (JSON); may be empty
  std::vector<quantize::InputInfo> inputs;
};

struct ModelData {
  std::optional<TemporaryFile> shell;  // which the pipeline of `samples` takes its tensor's type from
  std::unique_ptr<quantize::Samples> samples;
  std::string preprocess;          // as JSON; empty for arrays
  std::vector<std::string> notes;  // what was assumed
};

// kInvalid, kUnavailable. Runs nothing yet. `interrupts` outlives the result.
Result<ModelData> open_data(const DataRequest& request, Interrupts& interrupts);

// Pictures that could not be read in the last round, in words; empty: none.
std::string unreadable_note(const quantize::Samples& samples);

// The key of a quantised model's note of its preprocessing.
constexpr const char* kPreprocessKey = "sluice.preprocess";

}  // namespace sluice::cli
