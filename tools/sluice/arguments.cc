#include "tools/sluice/arguments.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <sstream>

#include "framework/core/suggest.h"
#include "runtime/library.h"
#include "tools/sluice/above_zero.h"
#include "tools/sluice/argument_checks.h"
#include "tools/sluice/argument_errors.h"
#include "tools/sluice/duration.h"
#include "tools/sluice/output.h"

namespace sluice::cli {
namespace {

constexpr int kUsage = 2;

// CLI::ValidationError carries the message; CLI11 puts the option's name in front.
std::pair<std::string, std::string> parse_set(const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::size_t dot = text.find('.');
  if (equals == std::string::npos || dot == std::string::npos || dot == 0 || dot + 1 >= equals) {
    throw CLI::ValidationError("--set", "'" + text + "' is no node.option=value");
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

std::int64_t parse_count(const std::string& option, const std::string& text) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size() || count < 1)
    throw CLI::ValidationError(option, "'" + text + "' is no whole number from 1 on");
  return count;
}

void add_set(CLI::App& app, std::vector<std::pair<std::string, std::string>>& set) {
  app.add_option_function<std::vector<std::string>>(
         "--set",
         [&set](const std::vector<std::string>& texts) {
           for (const std::string& text : texts) set.push_back(parse_set(text));
         },
         "Give an option another value; may be repeated")
      ->type_name("NODE.OPTION=VALUE")
      ->allow_extra_args(false);
}

void add_pace(CLI::App& app, std::optional<std::string>& pace) {
  app.add_option("--pace", pace, "Speed of files: realtime, max, or frames per second")->type_name("PACE");
}

// `traced`: a recording is allowed, too.
void check_device(const std::string& text, bool traced) {
  if (text == "real" || (text.starts_with("sim:") && text.size() > 4)) return;
  if (traced && text.starts_with("trace:") && text.size() > 6) return;
  constexpr std::array<std::string_view, 3> kKinds = {"real", "sim", "trace"};
  const std::span<const std::string_view> kinds = std::span(kKinds).first(traced ? 3 : 2);
  const std::string kind = text.substr(0, text.find(':'));
  const bool known = std::ranges::find(kKinds, kind) != kKinds.end();  // what was written is no suggestion
  throw CLI::ValidationError("--device", in_quotes(text) + " is no device, allowed: real, sim:PROFILE" +
                                             (traced ? ", trace:RECORDING" : "") +
                                             (known ? "" : did_you_mean(kind, kinds)));
}

void add_device(CLI::App& app, std::string& device, std::string& timings, std::optional<double>& ambient_c,
                bool traced) {
  std::string help =
      "real, or sim:PROFILE: a simulated device by name or path; nothing is executed or written there";
  if (traced) help += "; or trace:RECORDING: what that ran on, with its readings and decisions";
  app.add_option_function<std::string>(
         "--device",
         [&device, traced](const std::string& text) {
           check_device(text, traced);
           device = text;
         },
         help)
      ->type_name("DEVICE");
  app.add_option("--timings", timings, "Simulated: take the nodes' times from this report of a run")
      ->type_name("FILE");
  app.add_option("--ambient", ambient_c, "Simulated: temperature of the surroundings, degrees C")
      ->check(CLI::Range(-50.0, 100.0));
}

// Sets `seconds`, of whatever type takes a number.
template <typename Seconds>
void add_duration(CLI::App& app, const char* name, const char* help, Seconds& seconds, bool zero = false) {
  app.add_option_function<std::string>(
         name,
         [name, &seconds, zero](const std::string& text) {
           const std::optional<double> parsed = parse_duration(text, zero);
           if (!parsed)
             throw CLI::ValidationError(
                 name, in_quotes(text) + " is no duration such as 500ms, 10s, 30m, 1h or 10 (seconds)");
           const double number = *parsed;
           seconds = number;
         },
         std::string(help) + "; a number alone is seconds")
      ->type_name("TIME");
}

void add_file(CLI::App& app, std::string& file) {
  app.add_option("FILE", file, "A pipeline file")->required();
}

void add_run(CLI::App& app, RunArguments& args) {
  CLI::App* const run = app.add_subcommand("run", "Run a pipeline");
  add_file(*run, args.file);
  add_set(*run, args.set);
  run->add_option_function<std::string>(
         "--frames", [&args](const std::string& text) { args.frames = parse_count("--frames", text); },
         "Captures per source")
      ->type_name("N");
  add_duration(*run, "--duration", "Stop after this time (500ms, 10s, 30m, 1h)", args.duration_s);
  add_pace(*run, args.pace);
  run->add_option("--report", args.report, "Write what happened as JSON")->type_name("FILE");
  run->add_option("--trace", args.trace, "Write what ran when, for Perfetto")->type_name("FILE");
  add_device(*run, args.device, args.timings, args.ambient_c, true);
  CLI::Option* const record =
      run->add_option(
             "--record", args.record,
             "Keep readings, decisions and the report in this folder, for sluice fit and --device trace:DIR")
          ->type_name("DIR");
  run->add_flag("--force", args.force, "Replace an earlier recording")->needs(record);
  run->add_option("--collect-ranges", args.collect_ranges,
                  "Write which values models read and write, for quantize --ranges")
      ->type_name("FILE");
  run->add_flag("--quiet", args.quiet, "Only errors");
  run->add_flag_callback("-v,--verbose", [&args] { args.log_level = "debug"; }, "More messages");
  run->add_option("--log-level", args.log_level, "Least level that is written")
      ->check(one_of({"debug", "info", "warning", "error"}));
  run->add_option("--log-file", args.log_file, "Messages go to a file instead of stderr; its folder exists")
      ->type_name("FILE");
}

void add_plan(CLI::App& app, PlanArguments& args) {
  CLI::App* const plan = app.add_subcommand("plan", "Show what would run");
  add_file(*plan, args.file);
  add_set(*plan, args.set);
  add_pace(*plan, args.pace);
  plan->add_option("--format", args.format, "How it is written")
      ->check(one_of({"text", "json", "dot", "svg"}));
  plan->add_flag("--probe", args.probe, "Also open the sources once and make the pools");
}

void add_eval(CLI::App& app, EvalArguments& args) {
  CLI::App* const eval = app.add_subcommand("eval", "Accuracy of a pipeline on labelled pictures");
  add_file(*eval, args.file);
  eval->add_option("--labels", args.labels, "COCO JSON, dlib XML, or a folder with one folder per class")
      ->required()
      ->type_name("PATH");
  add_set(*eval, args.set);
  eval->add_option("--iou", args.iou, "Overlap from which a box counts as found")
      ->check(CLI::Range(0.01, 1.0));
  eval->add_option("--min-recall", args.min_recall, "Exit with 4 below this")->check(CLI::Range(0.0, 1.0));
  eval->add_option("--min-precision", args.min_precision, "Exit with 4 below this")
      ->check(CLI::Range(0.0, 1.0));
  eval->add_flag("--json", args.json, "One JSON document");
}

quantize::InputShape parse_shape(const std::string& text) {
  const std::size_t equals = text.rfind('=');
  quantize::InputShape out;
  std::size_t at = equals;
  while (at != std::string::npos && equals > 0) {
    const std::size_t end = text.find_first_of("x,", at + 1);
    const std::string size = text.substr(at + 1, end == std::string::npos ? end : end - at - 1);
    if (size.empty() || size.size() > 9 || size.find_first_not_of("0123456789") != std::string::npos ||
        std::stoll(size) == 0)
      throw CLI::ValidationError("--shape", "'" + text + "' is no NAME=DIMS such as input=1x3x256x256");
    out.dims.push_back(std::stoll(size));
    at = end;
  }
  if (out.dims.empty())
    throw CLI::ValidationError("--shape", "'" + text + "' is no NAME=DIMS such as input=1x3x256x256");
  out.input = text.substr(0, equals);
  return out;
}

// CLI11's own names the largest number there is.
CLI::Validator at_least_zero() {
  return {[](const std::string& text) {
            double value = 0;
            std::from_chars(text.data(), text.data() + text.size(), value);
            return value < 0 ? "'" + text + "' is below 0" : std::string();
          },
          "NONNEGATIVE"};
}

void add_shapes(CLI::App& app, std::vector<quantize::InputShape>& shapes) {
  app.add_option_function<std::vector<std::string>>(
         "--shape",
         [&shapes](const std::vector<std::string>& texts) {
           for (const std::string& text : texts) shapes.push_back(parse_shape(text));
         },
         "Fix the shape of an input; may be repeated")
      ->type_name("NAME=DIMS")
      ->allow_extra_args(false);
}

void add_compile(CLI::App& app, CompileArguments& args) {
  CLI::App* const compile = app.add_subcommand("compile", "Compile a model for a backend ahead of time");
  compile->add_option("MODEL", args.model, "An ONNX file")->required();
  compile->add_option("--backend", args.backend, "For which backend")->required();
  compile
      ->add_option(
          "-o,--output", args.output,
          "The file to write; several chips: their names are added. gpu keeps its kernels in the cache "
          "and writes the model as it is")
      ->required()
      ->type_name("FILE");
  compile->add_option("--soc", args.socs, "For which chips")->delimiter(',')->type_name("A,B");
  compile->add_option("--precision", args.precision, "Of float models")
      ->check(one_of({"auto", "fp16", "fp32"}))
      ->capture_default_str();
  add_shapes(*compile, args.shapes);
  compile->add_flag("--tune", args.tune,
                    "gpu: measure kernels and local sizes on this device, keep the fastest");
  compile->add_flag("--force", args.force, "Replace files that exist");
}

void add_quantize(CLI::App& app, QuantizeArguments& args) {
  CLI::App* const quantize = app.add_subcommand("quantize", "Make an integer (QDQ) model from a float one");
  quantize->add_option("MODEL", args.model, "A float ONNX file")->required();
  quantize->add_option("--data", args.data, "Calibration data: a folder of pictures, a video, or an .npz")
      ->required()
      ->type_name("PATH");
  quantize->add_option("-o,--output", args.output, "The model to write")->required()->type_name("FILE");
  quantize
      ->add_option("--scheme", args.scheme,
                   "Bits of weights and activations; default: what --encodings says, else w8a8")
      ->check(one_of({"w8a8", "w8a16", "mixed"}));
  quantize->add_option("--range", args.range, "How ranges follow from the values that were seen")
      ->check(one_of({"minmax", "percentile", "mse"}))
      ->capture_default_str();
  quantize->add_flag("--per-tensor", args.per_tensor,
                     "One scale per weight tensor instead of one per channel");
  quantize->add_option("--io", args.io, "Type of the model's inputs and outputs")
      ->check(one_of({"float", "quantized"}))
      ->capture_default_str();
  quantize
      ->add_option("--preprocess", args.preprocess,
                   "How pictures become tensors: a pipeline's preprocess node")
      ->type_name("FILE#NODE");
  quantize->add_flag("--equalize", args.equalize, "Even out the ranges of channels across layers first");
  quantize
      ->add_option("--max-mse", args.max_mse,
                   "Most mean squared error of any output on held-out data; mixed raises "
                   "operators until it holds, else exit 4")
      ->check(at_least_zero());
  quantize->add_option("--min-snr", args.min_snr, "The same as least signal-to-noise ratio, in dB");
  quantize
      ->add_option("--encodings", args.encodings,
                   "Encodings to use instead of measured ones (AIMET or QNN JSON)")
      ->type_name("FILE");
  quantize->add_option("--write-encodings", args.write_encodings, "Write all encodings as JSON")
      ->type_name("FILE");
  quantize
      ->add_option("--ranges", args.ranges,
                   "Values seen in the field too (run --collect-ranges); may be repeated")
      ->type_name("FILE[#MODEL]")
      ->allow_extra_args(false);
  add_shapes(*quantize, args.shapes);
  quantize->add_flag("--force", args.force, "Replace the output");
}

void add_compare(CLI::App& app, CompareArguments& args) {
  CLI::App* const compare =
      app.add_subcommand("compare", "How far a model on a backend is from its reference");
  compare->add_option("MODEL", args.model, "An ONNX file")->required();
  compare->add_option("--backend", args.backend, "Where the model runs")->required();
  compare->add_option("--precision", args.precision, "Of float models on gpu and htp")
      ->check(one_of({"auto", "fp16", "fp32"}))
      ->capture_default_str();
  compare->add_option("--reference-model", args.reference_model, "The model to compare with (default: MODEL)")
      ->type_name("FILE");
  compare->add_option("--reference", args.reference, "Where the reference runs")->capture_default_str();
  compare->add_option("--data", args.data, "A folder of pictures, a video, or an .npz")
      ->required()
      ->type_name("PATH");
  compare
      ->add_option("--preprocess", args.preprocess,
                   "How pictures become tensors: a pipeline's preprocess node")
      ->type_name("FILE#NODE");
  add_shapes(*compare, args.shapes);
  compare->add_flag("--layers", args.layers, "Every layer too, and the first one that goes wrong");
  compare->add_option("--max-mse", args.max_mse, "Exit with 4 above this mean squared error of any output")
      ->check(at_least_zero());
  compare->add_option("--min-snr", args.min_snr,
                      "Exit with 4 below this signal-to-noise ratio of any output, in dB");
  compare->add_flag("--json", args.json, "One JSON document");
}

void add_package(CLI::App& app, PackageArguments& args) {
  CLI::App* const package = app.add_subcommand("package", "Put all that a device needs into one folder");
  add_file(*package, args.file);
  package->add_option("-o,--output", args.output, "The folder to make")->required()->type_name("DIR");
  package->add_flag("--force", args.force, "Replace a package");
}

void add_profile(CLI::App& app, ProfileArguments& args) {
  CLI::App* const profile = app.add_subcommand("profile", "How fast a model is, and which layers are slow");
  profile->add_option("MODEL", args.model, "An ONNX file")->required();
  profile->add_option("--backend", args.backend, "Where it runs; all: side by side")->required();
  profile->add_option("--scenario", args.scenario, "As MLPerf Mobile defines them: at least 60 s per backend")
      ->check(one_of({"single_stream", "offline"}));
  add_duration(*profile, "--duration", "Run each backend for this time (default: a quick look)",
               args.duration_s);
  profile->add_option("--inputs", args.inputs, "Arrays by input name, .npz (default: made-up numbers)")
      ->type_name("FILE");
  add_shapes(*profile, args.shapes);
  profile->add_option("--soc", args.soc, "htp: as which chip (default: this one; simulated: sm8550)")
      ->type_name("NAME");
  profile->add_flag("--json", args.json, "One JSON document");
}

// "node=backend".
void add_backends(CLI::App& app, std::vector<std::pair<std::string, std::string>>& backends) {
  app.add_option_function<std::vector<std::string>>(
         "--backend",
         [&backends](const std::vector<std::string>& texts) {
           for (const std::string& text : texts) {
             const std::size_t equals = text.find('=');
             if (equals == 0 || equals == std::string::npos || equals + 1 == text.size())
               throw CLI::ValidationError("--backend", "'" + text + "' is no NODE=BACKEND");
             backends.emplace_back(text.substr(0, equals), text.substr(equals + 1));
           }
         },
         "Force a node's backend; may be repeated")
      ->type_name("NODE=BACKEND")
      ->allow_extra_args(false);
}

void add_thermal(CLI::App& app, ThermalArguments& args) {
  CLI::App* const thermal =
      app.add_subcommand("thermal", "Sustained performance: what a pipeline keeps up when the device is hot");
  CLI::Option* const file = thermal->add_option("FILE", args.file, "A pipeline file");
  add_set(*thermal, args.set);
  add_pace(*thermal, args.pace);
  add_device(*thermal, args.device, args.timings, args.ambient_c, false);
  add_backends(*thermal, args.backends);
  add_duration(*thermal, "--duration", "Length of the load (30m)", args.duration_s);
  add_duration(*thermal, "--cool-down", "Most time to idle until steady before it (10m; 0: none)",
               args.cool_down_s, true);
  add_duration(*thermal, "--recovery", "Time to watch afterwards (60s; 0: none)", args.recovery_s, true);
  thermal
      ->add_option("--policies", args.policies,
                   "Selector policies, one run each (default: one run, as the file says)")
      ->delimiter(',')
      ->check(one_of({"fixed", "latency", "throughput", "efficiency", "balanced", "sustained"}));
  thermal
      ->add_option("--repeat", args.repeat, "Runs of each policy; exit 4 when they differ by more than 5 %")
      ->check(CLI::Range(1, 100));
  thermal->add_option("--report", args.report, "Write a page with plots")->type_name("HTML");
  CLI::Option* const json =
      thermal->add_option("--json", args.json, "Write the result as JSON")->type_name("FILE");
  thermal->add_option("--csv", args.csv, "Write the windows as CSV")->type_name("FILE");
  thermal->add_flag("--resume", args.resume, "Go on with the interrupted test in the --json file")
      ->needs(json);
  thermal->add_option("--min-stability", args.min_stability, "Exit 4 when sustained / peak is below this")
      ->check(CLI::Range(0.0, 1.0));
  thermal->add_option("--min-fps", args.min_fps, "Exit 4 when the sustained rate is below this")
      ->check(above_zero());
  thermal->add_option("--max-p95-ms", args.max_p95_ms, "Exit 4 when a window's p95 is above this")
      ->check(above_zero());
  thermal->add_option("--max-skin-c", args.max_skin_c, "Exit 4 when the skin gets hotter than this")
      ->check(CLI::Range(-50.0, 200.0));
  thermal->add_option("--compare", args.compare, "Compare two results of --json instead of running")
      ->expected(2)
      ->type_name("A.json B.json")
      ->excludes(file);
  thermal->add_flag("--quiet", args.quiet, "Only results and errors");
  thermal->callback([&args, thermal] {
    if (args.file.empty() && args.compare.empty()) throw CLI::ValidationError("FILE", "is required");
    if (!args.compare.empty()) refuse_beside_compare(*thermal);
  });
}

void add_fit(CLI::App& app, FitArguments& args) {
  CLI::App* const fit = app.add_subcommand("fit", "Make a simulated device from recorded runs");
  fit->add_option("TRACE", args.traces, "A folder of sluice run --record, or its readings.jsonl")->required();
  fit->add_option("-o", args.output, "The profile to write")->required()->type_name("PROFILE");
  fit->add_option("--base", args.base,
                  "Profile that gives what is not fitted: backends, latencies, limits (generic)")
      ->type_name("PROFILE");
  fit->add_option("--ambient", args.ambient_c,
                  "Temperature of the surroundings of all recordings, degrees C; default: fitted, one for "
                  "each where they differ")
      ->check(CLI::Range(-50.0, 100.0));
  fit->add_flag("--force", args.force, "Replace the profile");
}

struct All {
  ThermalArguments thermal;
  FitArguments fit;
  RunArguments run;
  CheckArguments check;
  PlanArguments plan;
  NodesArguments nodes;
  DoctorArguments doctor;
  InspectArguments inspect;
  CompileArguments compile;
  EvalArguments eval;
  QuantizeArguments quantize;
  CompareArguments compare;
  ExplainArguments explain;
  PackageArguments package;
  ProfileArguments profile;
};

void declare(CLI::App& app, All& all) {
  app.set_version_flag("--version", std::string("sluice ") + version());
  app.require_subcommand(1);
  add_run(app, all.run);
  app.add_subcommand("check", "Validate pipeline files")
      ->add_option("FILE", all.check.files, "Pipeline files")
      ->required();
  add_plan(app, all.plan);
  app.add_subcommand("nodes", "Node types; ports and options of one")
      ->add_option("TYPE", all.nodes.type, "A node type");
  app.add_subcommand("schema", "JSON Schema of the pipeline file");
  app.add_subcommand("doctor", "What this machine can do, and what is missing")
      ->add_flag("--json", all.doctor.json, "One JSON document");
  CLI::App* const inspect = app.add_subcommand("inspect", "Inputs, outputs and operators of a model");
  inspect->add_option("MODEL", all.inspect.model, "An ONNX file")->required();
  add_shapes(*inspect, all.inspect.shapes);
  inspect->add_flag("--json", all.inspect.json, "One JSON document");
  add_compile(app, all.compile);
  add_eval(app, all.eval);
  add_quantize(app, all.quantize);
  add_compare(app, all.compare);
  app.add_subcommand("explain", "Why each backend, variant and ladder step was chosen")
      ->add_option("REPORT", all.explain.report, "JSON of run --report or thermal --json")
      ->required();
  add_package(app, all.package);
  add_profile(app, all.profile);
  add_thermal(app, all.thermal);
  add_fit(app, all.fit);
}

Arguments chosen(const CLI::App& app, All&& all) {
  const std::string name = app.get_subcommands().front()->get_name();
  if (name == "run") return std::move(all.run);
  if (name == "check") return std::move(all.check);
  if (name == "plan") return std::move(all.plan);
  if (name == "nodes") return std::move(all.nodes);
  if (name == "doctor") return all.doctor;
  if (name == "inspect") return std::move(all.inspect);
  if (name == "compile") return std::move(all.compile);
  if (name == "eval") return std::move(all.eval);
  if (name == "quantize") return std::move(all.quantize);
  if (name == "compare") return std::move(all.compare);
  if (name == "explain") return std::move(all.explain);
  if (name == "package") return std::move(all.package);
  if (name == "profile") return std::move(all.profile);
  if (name == "thermal") return std::move(all.thermal);
  if (name == "fit") return std::move(all.fit);
  return SchemaArguments{};
}

}  // namespace

std::variant<Arguments, int> parse_arguments(int argc, const char* const* argv) {
  CLI::App app("Sluice: dataflow for camera AI at the edge", "sluice");
  All all;
  declare(app, all);
  try {
    app.parse(argc, argv);
    for (const CLI::App* command : app.get_subcommands()) {
      refuse_what_is_empty(*command);
      refuse_what_is_no_number(*command);
    }
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) {
      print_error(why_refused(app, argc, argv, error));
      return kUsage;
    }
    std::ostringstream text;  // --help and --version are results like others
    app.exit(error, text);
    return print_result(text.str());
  }
  return chosen(app, std::move(all));
}

}  // namespace sluice::cli
