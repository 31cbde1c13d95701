#include "backends/htp/htp_options.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "framework/node/declaration.h"
#include "framework/node/htp_rules.h"
#include "inference/backend_options.h"

namespace sluice::htp {
namespace {

// The simulator's chip when the file names none: the one with the numerics of most devices.
constexpr std::string_view kSimulatedSoc = "sm8550";
constexpr int kOldestFp16 = 69;

std::string number_text(const Options& options, std::string_view name) {
  return std::to_string(options.integer(name));
}

Status contradicts(const std::string& text) { return invalid("backend 'htp': " + text); }
Status cannot(const std::string& text) { return unavailable("backend 'htp': " + text); }

// The plan has checked what a file says; this also holds for requests from code.
Status check_values(const Options& options) {
  for (const OptionDeclaration& declared : backend_options("htp")) {
    if (!options.has(declared.name)) continue;
    const OptionValue& value = options.value(declared.name);
    const auto* words = std::get_if<std::string>(&value.data);
    if (words) {
      bool known = declared.choices.empty();
      for (const std::string& choice : declared.choices) known = known || choice == *words;
      if (!known) return contradicts("'" + declared.name + "' has no value '" + *words + "'");
    } else if (declared.kind == OptionKind::kInteger || declared.kind == OptionKind::kNumber) {
      const double number = options.number(declared.name);
      if (!(number >= declared.min && number <= declared.max))
        return contradicts("'" + declared.name + "' is " + std::to_string(number) + ", allowed: " +
                           std::to_string(declared.min) + " to " + std::to_string(declared.max));
    }
  }
  return {};
}

const HtpSoc* choose_soc(const std::string& written, const Target& target) {
  if (written != "auto") return find_htp_soc(written);
  return target.simulated ? find_htp_soc(kSimulatedSoc) : htp_soc_in(target.machine);
}

std::string arch_text(int arch) { return "v" + std::to_string(arch); }

Status read_chip(const Options& options, const Target& target, HtpOptions& out) {
  const HtpSoc* soc = choose_soc(options.text("soc"), target);
  const std::string& arch = options.text("arch");
  const bool free_arch = arch != "auto" && options.text("soc") == "auto";
  if (arch != "auto") out.arch = std::stoi(arch.substr(1));
  if (free_arch && soc && soc->arch != out.arch) soc = nullptr;
  for (const HtpContradiction& found : htp_contradictions(options, soc))
    return contradicts(found.key + " " + found.text);
  if (soc) {
    out.soc = soc->name;
    out.arch = soc->arch;
    out.provider["soc_model"] = std::to_string(soc->number);
  }
  if (out.arch > 0) out.provider["htp_arch"] = std::to_string(out.arch);
  if (options.integer("vtcm_mb") > 0) out.provider["vtcm_mb"] = number_text(options, "vtcm_mb");
  return {};
}

Status read_precision(const Options& options, const Target& target, HtpOptions& out) {
  const std::string& precision = options.text("precision");
  if (!target.float_model) {
    if (precision == "auto" && !options.flag("fp16_clamp")) return {};
    return contradicts(
        "precision and fp16_clamp concern float models, this one is quantised; leave them out");
  }
  const std::string chip = out.soc.empty() ? "this chip" : "soc '" + out.soc + "'";
  if (precision == "fp32") {
    if (out.arch > 0 && out.arch < kOldestFp16) return {};
    return cannot("the NPU of " + chip +
                  " computes float models in fp16, not in fp32; write precision: fp16");
  }
  if (out.soc.empty()) return cannot("a float model needs fp16, and that needs the chip's name; write soc");
  if (out.arch < kOldestFp16)
    return cannot("the NPU of " + chip + " (" + arch_text(out.arch) +
                  ") has no fp16 arithmetic; quantise the model");
  out.provider["enable_htp_fp16_precision"] = "1";
  if (options.flag("fp16_clamp")) out.provider["enable_htp_fp16_clamp_overflow"] = "1";
  return {};
}

Status read_compilation(const Options& options, HtpOptions& out) {
  // The text auto reads as 0.
  if (options.integer("graph_optimization") > 0)
    out.provider["htp_graph_finalization_optimization_mode"] = number_text(options, "graph_optimization");
  if (options.flag("spill_fill")) out.provider["enable_htp_spill_fill_buffer"] = "1";
  if (!options.flag("dma")) return {};
  if (out.arch == 0) return cannot("dma (extended DMA) needs v81, and the chip is not known; write soc");
  out.provider["extended_udma"] = "1";
  return {};
}

Status read_running(const Options& options, HtpOptions& out) {
  const std::string& mode = options.text("performance_mode");
  out.performance_mode = mode == "auto" ? "balanced" : mode;
  out.idle_release = from_ms(options.number("idle_release_ms"));
  if (options.integer("rpc_control_latency_us") > 0)
    out.provider["rpc_control_latency"] = number_text(options, "rpc_control_latency_us");
  if (options.text("context_priority") != "normal")
    out.provider["qnn_context_priority"] = options.text("context_priority");
  const std::string& profiling = options.text("profiling");
  if (profiling == "off") return {};
  out.provider["profiling_level"] = profiling;
  out.provider["profiling_file_path"] = options.text("profiling_path");
  return {};
}

}  // namespace

Result<HtpOptions> read_htp_options(const OptionMap& values, const Target& target) {
  const Options options(values);
  HtpOptions out;
  SLUICE_RETURN_IF_ERROR(check_values(options));
  out.provider["backend_type"] = "htp";
  // The plan has stripped the edges that are integers; what is left is float on purpose and runs on the NPU.
  out.provider["offload_graph_io_quantization"] = "0";
  SLUICE_RETURN_IF_ERROR(read_chip(options, target, out));
  SLUICE_RETURN_IF_ERROR(read_precision(options, target, out));
  SLUICE_RETURN_IF_ERROR(read_compilation(options, out));
  SLUICE_RETURN_IF_ERROR(read_running(options, out));
  return out;
}

std::string machine_name(const std::string& root) {
  for (const char* file : {"sys/devices/soc0/machine", "sys/firmware/devicetree/base/compatible"}) {
    std::ifstream in(std::filesystem::path(root) / file);
    std::string line;
    std::getline(in, line);
    std::ranges::replace(line, '\0', ' ');
    if (!line.empty()) return line;
  }
  return {};
}

}  // namespace sluice::htp
