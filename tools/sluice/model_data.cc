#include "tools/sluice/model_data.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "framework/core/suggest.h"
#include "nodes/module_loader.h"
#include "runtime/builtin.h"
#include "runtime/pipeline.h"
#include "tools/sluice/calibration_pipeline.h"
#include "tools/sluice/picture_samples.h"

namespace sluice::cli {
namespace {

Result<GraphSpec> pipeline_of(const std::string& preprocess, const CalibrationSource& source) {
  const std::size_t hash = preprocess.rfind('#');
  if (hash == std::string::npos || hash == 0 || hash + 1 == preprocess.size())
    return invalid("--preprocess is '" + preprocess + "', wanted: PIPELINE.yaml#NODE");
  const std::string file = preprocess.substr(0, hash);
  const ParsedSpec parsed = parse_spec_file(file);
  if (!parsed.ok()) return LoadIssues{file, parsed.issues}.status();
  auto spec = make_calibration_pipeline(parsed.spec, builtin_registry(), preprocess.substr(hash + 1), source);
  if (!spec.ok()) return spec.status().with_context(file + ": error: ");
  return spec;
}

Result<GraphSpec> choose_pipeline(const DataRequest& request, const std::string& model,
                                  std::vector<std::string>& notes) {
  const CalibrationSource source{request.data, model};
  if (!request.preprocess.empty()) return pipeline_of(request.preprocess, source);
  if (!request.noted.empty()) {
    notes.push_back("pictures are prepared as the model notes: " + request.noted);
    return calibration_pipeline_from(request.noted, source);
  }
  if (is_integer(request.inputs[0].dtype)) {
    notes.push_back(
        "warning: without --preprocess pictures are stretched to the model's input, RGB, and their pixels "
        "stay as they "
        "are; a model that wants something else gives wrong numbers: give --preprocess PIPELINE.yaml#NODE");
    return default_calibration_pipeline(source, {0, 1});
  }
  notes.push_back(
      "warning: without --preprocess pictures are stretched to the model's input, RGB, (pixel - 127.5) / "
      "127.5; a "
      "model that wants something else gets wrong ranges: give --preprocess PIPELINE.yaml#NODE");
  return default_calibration_pipeline(source, {127.5, 127.5});
}

}  // namespace

Result<const quantize::Module*> quantize_module() {
  SLUICE_ASSIGN(void* const symbol, module_symbol("quantize", quantize::kModuleSymbol));
  return reinterpret_cast<quantize::ModuleFunction>(symbol)();
}

Result<ModelData> open_data(const DataRequest& request, Interrupts& interrupts) {
  struct stat info{};
  if (::stat(request.data.c_str(), &info) != 0)
    return invalid("--data '" + request.data + "' cannot be read: " + std::strerror(errno));
  SLUICE_ASSIGN(const quantize::Module* const module, quantize_module());
  ModelData out;
  if (request.data.ends_with(".npz")) {
    if (!request.preprocess.empty())
      return invalid("--preprocess is for pictures and videos; '" + request.data + "' holds arrays already");
    SLUICE_ASSIGN(out.samples, module->open_npz(request.data, request.inputs));
    return out;
  }
  if (request.inputs.size() != 1) {
    std::vector<std::string> names;
    names.reserve(request.inputs.size());
    for (const quantize::InputInfo& input : request.inputs) names.push_back(input.name);
    return invalid("the model has the inputs " + comma_list(names) +
                   ": pictures fill one only; give an .npz");
  }
  SLUICE_ASSIGN(out.shell, TemporaryFile::make("shell", "shell.onnx", module->shell_model(request.inputs)));
  SLUICE_ASSIGN(GraphSpec pipeline, choose_pipeline(request, out.shell->path(), out.notes));
  out.preprocess = preprocess_json(pipeline, preprocess_of(pipeline));
  out.samples = std::make_unique<PictureSamples>(std::move(pipeline), request.inputs[0].name, interrupts);
  return out;
}

std::string unreadable_note(const quantize::Samples& samples) {
  const auto* const pictures = dynamic_cast<const PictureSamples*>(&samples);
  if (!pictures || pictures->unreadable() == 0) return {};
  return "warning: " + std::to_string(pictures->unreadable()) +
         " pictures could not be read and were left out";
}

}  // namespace sluice::cli
