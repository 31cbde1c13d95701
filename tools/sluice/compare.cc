// sluice compare
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backends/backends.h"
#include "framework/core/clock.h"
#include "framework/core/suggest.h"
#include "runtime/logging.h"
#include "tools/sluice/commands.h"
#include "tools/sluice/comparison.h"
#include "tools/sluice/interrupts.h"
#include "tools/sluice/model_data.h"
#include "tools/sluice/model_side.h"
#include "tools/sluice/output.h"
#include "tools/sluice/progress_bar.h"

namespace sluice::cli {
namespace {

using Backends = std::vector<std::unique_ptr<Backend>>;

// A tensor that both models have, by its name in each.
struct Pair {
  std::string name, type;
  std::string model, reference;  // tensors
};

std::vector<std::string> tensors_of(const std::vector<Pair>& pairs, std::string Pair::* side) {
  std::vector<std::string> out;
  out.reserve(pairs.size());
  for (const Pair& pair : pairs) out.push_back(pair.*side);
  return out;
}

Result<std::vector<Pair>> pair_outputs(const quantize::Network& model, const quantize::Network& reference) {
  std::vector<Pair> out;
  for (const std::string& name : model.outputs()) {
    const auto& there = reference.outputs();
    if (std::find(there.begin(), there.end(), name) == there.end())
      return invalid("output " + in_quotes(name) +
                     " is not in the reference model, whose outputs are: " + comma_list(there));
    out.push_back({name, {}, name, name});
  }
  return out;
}

struct Layers {
  std::vector<Pair> pairs;
  int equalised = 0;  // of the model alone: scaled, so that the reference has nothing like them
};

Layers pair_layers(const quantize::Network& model, const quantize::Network& reference) {
  std::map<std::string, std::string> there;
  for (const quantize::LayerResult& layer : reference.layers()) there[layer.name] = layer.tensor;
  Layers out;
  for (const quantize::LayerResult& layer : model.layers()) {
    const auto found = there.find(layer.name);
    if (found != there.end())
      out.pairs.push_back({layer.name, layer.type, layer.tensor, found->second});
    else
      out.equalised += layer.equalised;
  }
  return out;
}

Result<Backend*> find_backend(const Backends& backends, const std::string& name, const char* option) {
  std::vector<std::string> names;
  for (const auto& backend : backends) {
    if (backend->name() == name) return backend.get();
    names.emplace_back(backend->name());
  }
  return invalid(std::string(option) + " is '" + name + "', allowed: " + comma_list(names));
}

// A network's bytes on the disk, loaded by a backend.
struct Side {
  std::optional<TemporaryFile> file;
  std::unique_ptr<ModelSide> model;
};

// What the compared side's backend is told beyond its defaults.
Result<OptionMap> options_of(const Backend& backend, const std::string& precision) {
  if (precision == "auto") return OptionMap{};
  const auto& declared = backend.options();
  if (std::find_if(declared.begin(), declared.end(), [](const auto& o) { return o.name == "precision"; }) ==
      declared.end())
    return invalid("--precision is '" + precision + "', but backend '" + std::string(backend.name()) +
                   "' computes every model in its own; leave it out");
  return OptionMap{{"precision", OptionValue{precision}}};
}

// `path`: the user's file, which errors name instead of ours.
Result<Side> open_side(Backend& backend, const OptionMap& options, const std::string& path,
                       const quantize::Network& network, const std::vector<std::string>& tensors) {
  Side out;
  SLUICE_ASSIGN(out.file, TemporaryFile::make("compare", "network.onnx", network.with_outputs(tensors)));
  auto side = ModelSide::open(backend, out.file->path(), options);
  if (!side.ok()) {
    std::string message = side.status().message();
    const std::size_t ours = message.find(out.file->path());
    if (ours != std::string::npos) message.replace(ours, out.file->path().size(), path);
    return Status(side.status().code(), std::move(message));
  }
  out.model = std::move(*side);
  return out;
}

std::size_t place_of(const ModelSide& side, const std::string& tensor) {
  const auto& names = side.outputs();
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), tensor) - names.begin());
}

class Comparer {
 public:
  Comparer(Side& model, Side& reference, const std::vector<Pair>& outputs, const std::vector<Pair>& layers,
           Comparison& comparison)
      : model_(*model.model), reference_(*reference.model), comparison_(comparison) {
    const auto add = [this](const std::vector<Pair>& pairs, std::vector<ComparedTensor>& to) {
      for (const Pair& pair : pairs) {
        to.push_back({pair.name, pair.type, {}});
        places_.emplace_back(place_of(model_, pair.model), place_of(reference_, pair.reference));
      }
    };
    add(outputs, comparison_.outputs);
    add(layers, comparison_.layers);
  }

  Status visit(const quantize::Sample& sample) {
    SLUICE_ASSIGN(const auto values, model_.run(sample));
    SLUICE_ASSIGN(const auto references, reference_.run(sample));
    std::size_t i = 0;
    for (auto* list : {&comparison_.outputs, &comparison_.layers}) {
      for (ComparedTensor& tensor : *list) {
        const auto [here, there] = places_[i++];
        if (values[here].size() != references[there].size())
          return invalid("tensor " + in_quotes(tensor.name) + " has " + std::to_string(values[here].size()) +
                         " elements, in the reference " + std::to_string(references[there].size()));
        tensor.meter.add(references[there], values[here]);
      }
    }
    ++comparison_.samples;
    return {};
  }

 private:
  ModelSide& model_;
  ModelSide& reference_;
  Comparison& comparison_;
  std::vector<std::pair<std::size_t, std::size_t>> places_;
};

struct Opened {
  std::unique_ptr<quantize::Network> model, reference;
  Backend* backend = nullptr;
  Backend* reference_backend = nullptr;
  OptionMap options;  // of `backend`
};

const std::string& reference_of(const CompareArguments& arguments) {
  return arguments.reference_model.empty() ? arguments.model : arguments.reference_model;
}

Result<Opened> open_all(const CompareArguments& arguments, const Backends& backends) {
  Opened out;
  SLUICE_ASSIGN(out.backend, find_backend(backends, arguments.backend, "--backend"));
  SLUICE_ASSIGN(out.reference_backend, find_backend(backends, arguments.reference, "--reference"));
  SLUICE_ASSIGN(out.options, options_of(*out.backend, arguments.precision));
  SLUICE_ASSIGN(const quantize::Module* const module, quantize_module());
  SLUICE_ASSIGN(out.model, module->open_network(arguments.model, arguments.shapes));
  SLUICE_ASSIGN(out.reference, module->open_network(reference_of(arguments), arguments.shapes));
  return out;
}

void warn_of_fallback(const std::string& backend, const std::string& model, const ModelSide& side) {
  const std::string text = elsewhere_text(backend, model, side.session().placement());
  if (!text.empty()) print_note("warning: " + text);
}

Result<Comparison> compare(const CompareArguments& arguments, const Backends& backends,
                           Interrupts& interrupts) {
  SLUICE_ASSIGN(const Opened opened, open_all(arguments, backends));
  SLUICE_ASSIGN(const std::vector<Pair> outputs, pair_outputs(*opened.model, *opened.reference));
  const auto [layers, equalised] =
      arguments.layers ? pair_layers(*opened.model, *opened.reference) : Layers{};
  SLUICE_ASSIGN(Side model, open_side(*opened.backend, opened.options, arguments.model, *opened.model,
                                      tensors_of(layers, &Pair::model)));
  SLUICE_ASSIGN(Side reference, open_side(*opened.reference_backend, {}, reference_of(arguments),
                                          *opened.reference, tensors_of(layers, &Pair::reference)));
  warn_of_fallback(arguments.backend, arguments.model, *model.model);
  warn_of_fallback(arguments.reference, reference_of(arguments), *reference.model);
  const std::string noted = opened.model->note(kPreprocessKey);
  SLUICE_ASSIGN(ModelData data,
                open_data({.data = arguments.data,
                           .preprocess = arguments.preprocess,
                           .noted = noted.empty() ? opened.reference->note(kPreprocessKey) : noted,
                           .inputs = opened.reference->inputs()},
                          interrupts));
  for (const std::string& note : data.notes) print_note(note);
  if (equalised > 0)
    print_note(fmt::format(
        "{} layers hold other numbers than the reference's, since --equalize scaled them: left out",
        equalised));
  Comparison out;
  out.with_layers = arguments.layers;
  out.model = arguments.model;
  out.backend = arguments.backend;
  out.reference_model = arguments.reference_model.empty() ? arguments.model : arguments.reference_model;
  out.reference = arguments.reference;
  out.simulated = model.model->session().simulated();
  out.placement = model.model->session().placement();
  Comparer comparer(model, reference, outputs, layers, out);
  ProgressBar bar("comparing");
  const Status done = data.samples->for_each([&](const quantize::Sample& sample) {
    Status visited = comparer.visit(sample);
    bar.show(out.samples, data.samples->count());
    return visited;
  });
  bar.clear();
  if (!done.ok()) return done;
  if (const std::string note = unreadable_note(*data.samples); !note.empty()) print_note(note);
  if (out.samples == 0) return unavailable("the data hold no sample");
  return out;
}

// Every output must hold what is demanded; each that does not is named.
bool missed(const CompareArguments& arguments, const Comparison& comparison) {
  const bool demanded = arguments.max_mse || arguments.min_snr;
  bool out = false;
  for (const ComparedTensor& tensor : comparison.outputs) {
    const quantize::ErrorMeter& meter = tensor.meter;
    const auto miss = [&](const std::string& what) {
      const std::string line = "output " + in_quotes(tensor.name) + ": " + what;
      demanded ? print_error(line) : print_note("warning: " + line);
      out = true;
    };
    if (meter.not_finite() > 0) miss(fmt::format("{} values are NaN or infinite", meter.not_finite()));
    if (arguments.max_mse && meter.mse() > *arguments.max_mse)
      miss(fmt::format("MSE is {:.6g}, demanded: at most {:.6g}", meter.mse(), *arguments.max_mse));
    if (arguments.min_snr && meter.snr_db() < *arguments.min_snr)
      miss(fmt::format("SNR is {:.2f} dB, demanded: at least {:.2f}", meter.snr_db(), *arguments.min_snr));
  }
  return out && demanded;
}

}  // namespace

int execute(const CompareArguments& arguments) {
  Interrupts interrupts;
  const auto logging = Logging::start({LogLevel::kWarning, {}});
  SteadyClock clock;
  const Backends backends = make_backends(clock);
  const auto comparison = compare(arguments, backends, interrupts);
  if (!comparison.ok()) {
    print_error(comparison.status().message());
    return comparison.status().code() == Code::kCancelled ? kDone : exit_code_of(comparison.status());
  }
  const double least = arguments.min_snr.value_or(kRightSnr);
  const Exit code = print_result(arguments.json ? comparison_json(*comparison, least)
                                                : comparison_text(*comparison, least));
  const bool below = missed(arguments, *comparison);
  return code == kDone && below ? kMissed : code;
}

}  // namespace sluice::cli
