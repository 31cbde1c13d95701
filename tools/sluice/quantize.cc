// sluice quantize
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "runtime/atomic_file.h"
#include "runtime/logging.h"
#include "tools/sluice/commands.h"
#include "tools/sluice/interrupts.h"
#include "tools/sluice/model_data.h"
#include "tools/sluice/output.h"
#include "tools/sluice/output_file.h"
#include "tools/sluice/progress_bar.h"
#include "tools/sluice/ranges_file.h"
#include "tools/sluice/result_files.h"

namespace sluice::cli {
namespace {

void print_notes(const std::vector<std::string>& notes) {
  for (const std::string& note : notes) {
    if (!note.empty()) print_note(note);
  }
}

std::string summary(const QuantizeArguments& arguments, const quantize::Outcome& outcome) {
  std::string out =
      fmt::format("{}: {}, {} of {} operators quantised, {} samples, {:.1f} KiB\n", arguments.output,
                  outcome.scheme, outcome.quantised_operators, outcome.operators, outcome.samples,
                  static_cast<double>(outcome.model.size()) / 1024);
  if (outcome.snr_db)
    out += fmt::format("  worst output on {} held-out samples: SNR {:.2f} dB, MSE {:.6g}\n", outcome.held_out,
                       *outcome.snr_db, *outcome.mse);
  for (const auto& [type, count] : outcome.float_operators)
    out += fmt::format("  float: {} {}\n", count, type);
  return out;
}

// What was demanded beside what came out.
std::string miss(const QuantizeArguments& arguments, const quantize::Outcome& outcome) {
  std::string out;
  if (arguments.min_snr && !(*outcome.snr_db >= *arguments.min_snr))
    out = fmt::format("SNR {:.2f} dB, --min-snr demands at least {:g}", *outcome.snr_db, *arguments.min_snr);
  if (arguments.max_mse && !(*outcome.mse <= *arguments.max_mse))
    out += fmt::format("{}MSE {:.6g}, --max-mse demands at most {:g}", out.empty() ? "" : "; ", *outcome.mse,
                       *arguments.max_mse);
  return "the worst output has " + out;
}

constexpr std::size_t kMostEncodingsBytes = 256u << 20;

Result<std::string> read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return invalid("--encodings '" + path + "' cannot be read: " + std::strerror(errno));
  const auto size = static_cast<std::size_t>(file.tellg());
  if (size == 0 || size > kMostEncodingsBytes)
    return invalid("--encodings '" + path + "' has " + std::to_string(size) +
                   " bytes, which is no encodings file");
  std::string out(size, '\0');
  file.seekg(0);
  if (!file.read(out.data(), static_cast<std::streamsize>(size)))
    return invalid("'" + path + "' cannot be read");
  return out;
}

Result<quantize::Request> request_of(const QuantizeArguments& arguments, const ModelData& data) {
  quantize::Request out;
  if (!arguments.encodings.empty()) {
    SLUICE_ASSIGN(out.encodings, read_text(arguments.encodings));
    out.encodings_path = "--encodings '" + arguments.encodings + "'";
  }
  SLUICE_ASSIGN(out.ranges, read_ranges(arguments.ranges));
  out.equalize = arguments.equalize;
  out.max_mse = arguments.max_mse;
  out.min_snr = arguments.min_snr;
  out.scheme = arguments.scheme;
  out.range = arguments.range;
  out.per_tensor = arguments.per_tensor;
  out.quantised_edges = arguments.io == "quantized";
  if (!data.preprocess.empty()) out.metadata[kPreprocessKey] = data.preprocess;
  return out;
}

// Neither file gets its name before both are on the disk.
Status write_results(const QuantizeArguments& arguments, const quantize::Outcome& outcome) {
  SLUICE_ASSIGN(FileReplacement model, FileReplacement::open(arguments.output));
  SLUICE_RETURN_IF_ERROR(model.write(outcome.model));
  if (arguments.write_encodings.empty()) return model.commit();
  const auto named = [](const Status& status) { return status.with_context("--write-encodings: "); };
  auto encodings = FileReplacement::open(arguments.write_encodings);
  if (!encodings.ok()) return named(encodings.status());
  SLUICE_RETURN_IF_ERROR(named(encodings->write(outcome.encodings)));
  SLUICE_RETURN_IF_ERROR(named(encodings->commit()));
  return model.commit();
}

Result<quantize::Outcome> make_model(const QuantizeArguments& arguments, Interrupts& interrupts) {
  SLUICE_ASSIGN(const quantize::Module* const module, quantize_module());
  SLUICE_ASSIGN(const auto quantizer, module->open_quantizer(arguments.model, arguments.shapes));
  SLUICE_ASSIGN(ModelData data, open_data({.data = arguments.data,
                                           .preprocess = arguments.preprocess,
                                           .noted = {},
                                           .inputs = quantizer->inputs()},
                                          interrupts));
  print_notes(data.notes);
  SLUICE_ASSIGN(quantize::Request request, request_of(arguments, data));
  request.interrupted = [&interrupts] { return interrupts.interrupted(); };
  ProgressBar bar("calibrating");
  auto outcome = quantizer->quantize(request, *data.samples,
                                     [&](std::size_t done) { bar.show(done, data.samples->count()); });
  bar.clear();
  print_notes({unreadable_note(*data.samples)});
  return outcome;
}

// --force replaces an earlier result, never what the result is made from or the other result.
Status check_paths(const QuantizeArguments& arguments) {
  SLUICE_RETURN_IF_ERROR(check_model_ending("-o", arguments.output));
  const std::string output = real_name(arguments.output);
  for (const auto& [option, path] : {std::pair("MODEL", arguments.model), std::pair("--data", arguments.data),
                                     std::pair("--encodings", arguments.encodings),
                                     std::pair("--write-encodings", arguments.write_encodings)}) {
    if (!path.empty() && real_name(path) == output)
      return invalid(fmt::format("-o and {} name the same file '{}'", option, arguments.output));
  }
  if (!arguments.write_encodings.empty() &&
      real_name(arguments.write_encodings) == real_name(arguments.model))
    return invalid(
        fmt::format("--write-encodings and MODEL name the same file '{}'", arguments.write_encodings));
  return {};
}

// Everything but the target, whose miss is no failure.
Status run(const QuantizeArguments& arguments, Interrupts& interrupts, bool& met) {
  SLUICE_RETURN_IF_ERROR(check_paths(arguments));
  SLUICE_RETURN_IF_ERROR(may_write("-o", arguments.output, arguments.force));
  if (!arguments.write_encodings.empty())
    SLUICE_RETURN_IF_ERROR(may_write("--write-encodings", arguments.write_encodings, arguments.force));
  SLUICE_ASSIGN(const quantize::Outcome outcome, make_model(arguments, interrupts));
  print_notes(outcome.notes);
  SLUICE_RETURN_IF_ERROR(write_results(arguments, outcome));
  met = outcome.target_met;
  if (!met) {
    print_error(miss(arguments, outcome));
  }
  return print_result(summary(arguments, outcome)) == kDone ? Status()
                                                            : failed("the result could not be written");
}

}  // namespace

int execute(const QuantizeArguments& arguments) {
  Interrupts interrupts;
  const auto logging = Logging::start({LogLevel::kWarning, {}});
  bool met = true;
  const Status status = run(arguments, interrupts, met);
  if (status.ok()) return met ? kDone : kMissed;
  print_error(status.message());
  return status.code() == Code::kCancelled ? kDone : exit_code_of(status);
}

}  // namespace sluice::cli
