#include "tools/sluice/arguments.h"

#include <CLI/CLI.hpp>

#include <charconv>

#include "runtime/library.h"
#include "tools/sluice/duration.h"

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

void add_duration(CLI::App& app, std::optional<double>& seconds, const std::string& help) {
  app.add_option_function<std::string>(
         "--duration",
         [&seconds](const std::string& text) {
           seconds = parse_duration(text);
           if (!seconds)
             throw CLI::ValidationError("--duration",
                                        "'" + text + "' is no duration such as 500ms, 10s, 30m, 1h");
         },
         help)
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
  add_duration(*run, args.duration_s, "Stop after this time (500ms, 10s, 30m, 1h)");
  add_pace(*run, args.pace);
  run->add_option("--report", args.report, "Write what happened as JSON")->type_name("FILE");
  run->add_option("--trace", args.trace, "Write what ran when, for Perfetto")->type_name("FILE");
  run->add_option("--collect-ranges", args.collect_ranges,
                  "Write which values models read and write, for quantize --ranges")
      ->type_name("FILE");
  run->add_flag("--quiet", args.quiet, "Only errors");
  run->add_flag_callback("-v,--verbose", [&args] { args.log_level = "debug"; }, "More messages");
  run->add_option("--log-level", args.log_level, "Least level that is written")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
  run->add_option("--log-file", args.log_file, "Messages go to a file instead of stderr")->type_name("FILE");
}

void add_plan(CLI::App& app, PlanArguments& args) {
  CLI::App* const plan = app.add_subcommand("plan", "Show what would run");
  add_file(*plan, args.file);
  add_set(*plan, args.set);
  add_pace(*plan, args.pace);
  plan->add_option("--format", args.format, "How it is written")
      ->check(CLI::IsMember({"text", "json", "dot", "svg"}));
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

void add_compile(CLI::App& app, CompileArguments& args) {
  CLI::App* const compile = app.add_subcommand("compile", "Compile a model for a backend ahead of time");
  compile->add_option("MODEL", args.model, "An ONNX file")->required();
  compile->add_option("--backend", args.backend, "For which backend")->required();
  compile->add_option("-o,--output", args.output, "The file to write; several chips: their names are added")
      ->required()
      ->type_name("FILE");
  compile->add_option("--soc", args.socs, "For which chips")->delimiter(',')->type_name("A,B");
  compile->add_option("--precision", args.precision, "Of float models")
      ->check(CLI::IsMember({"auto", "fp16", "fp32"}))
      ->capture_default_str();
  compile->add_flag("--force", args.force, "Replace files that exist");
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

void add_quantize(CLI::App& app, QuantizeArguments& args) {
  CLI::App* const quantize = app.add_subcommand("quantize", "Make an integer (QDQ) model from a float one");
  quantize->add_option("MODEL", args.model, "A float ONNX file")->required();
  quantize->add_option("--data", args.data, "Calibration data: a folder of pictures, a video, or an .npz")
      ->required()
      ->type_name("PATH");
  quantize->add_option("-o,--output", args.output, "The model to write")->required()->type_name("FILE");
  quantize->add_option("--scheme", args.scheme, "Bits of weights and activations")
      ->check(CLI::IsMember({"w8a8", "w8a16", "mixed"}))
      ->capture_default_str();
  quantize->add_option("--range", args.range, "How ranges follow from the values that were seen")
      ->check(CLI::IsMember({"minmax", "percentile", "mse"}))
      ->capture_default_str();
  quantize->add_flag("--per-tensor", args.per_tensor,
                     "One scale per weight tensor instead of one per channel");
  quantize->add_option("--io", args.io, "Type of the model's inputs and outputs")
      ->check(CLI::IsMember({"float", "quantized"}))
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
      ->check(CLI::NonNegativeNumber);
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
      ->check(CLI::NonNegativeNumber);
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
      ->check(CLI::IsMember({"single_stream", "offline"}));
  add_duration(*profile, args.duration_s, "Run each backend for this time (default: a quick look)");
  profile->add_option("--inputs", args.inputs, "Arrays by input name, .npz (default: made-up numbers)")
      ->type_name("FILE");
  profile->add_flag("--json", args.json, "One JSON document");
}

struct All {
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
  inspect->add_flag("--json", all.inspect.json, "One JSON document");
  add_compile(app, all.compile);
  add_eval(app, all.eval);
  add_quantize(app, all.quantize);
  add_compare(app, all.compare);
  add_package(app, all.package);
  add_profile(app, all.profile);
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
  if (name == "package") return std::move(all.package);
  if (name == "profile") return std::move(all.profile);
  return SchemaArguments{};
}

}  // namespace

std::variant<Arguments, int> parse_arguments(int argc, const char* const* argv) {
  CLI::App app("Sluice: dataflow for camera AI at the edge", "sluice");
  All all;
  declare(app, all);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  return chosen(app, std::move(all));
}

}  // namespace sluice::cli
