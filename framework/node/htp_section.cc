#include "framework/node/htp_section.h"

#include <algorithm>
#include <array>

#include "framework/node/htp_socs.h"

namespace sluice {
namespace {

OptionDeclaration option(std::string name, OptionKind kind, OptionValue fallback, std::string doc) {
  OptionDeclaration o;
  o.name = std::move(name);
  o.kind = kind;
  o.fallback = std::move(fallback);
  o.doc = std::move(doc);
  return o;
}

OptionValue text(const char* value) { return {std::string(value)}; }
OptionValue whole(std::int64_t value) { return {value}; }

void add_chip(OptionDeclaration& htp) {
  htp.child(option("soc", OptionKind::kChoice, text("auto"),
                   "The chip; auto: this device's, and sm8550 for the simulator.")
                .any_of(htp_soc_choices()))
      .child(option("arch", OptionKind::kChoice, text("auto"), "The NPU's version; auto: the chip's.")
                 .any_of(htp_arch_choices()))
      .child(
          option("vtcm_mb", OptionKind::kInteger, whole(0), "Fast memory to use; 0: the library's default.")
              .in_unit("MB")
              .range(0, 64));
}

void add_compilation(OptionDeclaration& htp) {
  htp.child(option("precision", OptionKind::kChoice, text("auto"), "Of float models.")
                .any_of({"auto", "fp16", "fp32"}))
      .child(option("fp16_clamp", OptionKind::kBool, {false}, "fp16: limits values instead of overflowing."))
      .child(option("graph_optimization", OptionKind::kInteger, text("auto"),
                    "Effort of the compiler: 1 fast, 2 thorough, 3 best; 0: its default.")
                 .range(0, 3)
                 .any_of({"auto"}))
      .child(option("dma", OptionKind::kBool, {false}, "Extended DMA; only on v81."))
      .child(option("spill_fill", OptionKind::kBool, {false}, "Contexts share one buffer for spilled data."));
}

void add_running(OptionDeclaration& htp) {
  htp.child(option("performance_mode", OptionKind::kChoice, text("auto"), "auto: the selector's to choose.")
                .any_of(htp_performance_modes()))
      .child(option("idle_release_ms", OptionKind::kInteger, whole(500),
                    "Idle time after which votes are released.")
                 .in_unit("ms")
                 .range(0, 3'600'000))
      .child(option("rpc_control_latency_us", OptionKind::kInteger, whole(0),
                    "Latency that the remote procedure calls may take; 0: the library's default.")
                 .in_unit("us")
                 .range(0, 1'000'000))
      .child(option("context_priority", OptionKind::kChoice, text("normal"), "Among contexts on the NPU.")
                 .any_of({"low", "normal", "normal_high", "high"}))
      .child(
          option(
              "shared_memory", OptionKind::kChoice, text("auto"),
              "Buffers that the NPU reads and writes in place; auto: where the device has such memory, on: "
              "refused where it has none.")
              .any_of({"auto", "on", "off"}))
      .child(option("run_timeout_ms", OptionKind::kNumber, {10000.0}, "A run that takes longer is given up.")
                 .in_unit("ms")
                 .range(1, 3'600'000))
      .child(option("profiling", OptionKind::kChoice, text("off"), "Per-run or per-operator times.")
                 .any_of({"off", "basic", "detailed", "optrace"}))
      .child(option("profiling_path", OptionKind::kPathOut, {}, "The CSV file that `profiling` writes."));
}

struct Refused {
  std::string_view key;
  std::string_view reason;
};

// ONNX Runtime's names and those of QNN's own configuration files, with ours.
constexpr std::array kOtherNames = {
    Refused{"htp_performance_mode", "performance_mode"},
    Refused{"perf_profile", "performance_mode"},
    Refused{"soc_model", "soc, with the chip's name"},
    Refused{"soc_id", "soc, with the chip's name"},
    Refused{"htp_arch", "arch"},
    Refused{"dsp_arch", "arch"},
    Refused{"rpc_control_latency", "rpc_control_latency_us"},
    Refused{"htp_graph_finalization_optimization_mode", "graph_optimization"},
    Refused{"O", "graph_optimization"},
    Refused{"enable_htp_fp16_precision", "precision: fp16"},
    Refused{"fp16_relaxed_precision", "precision: fp16"},
    Refused{"enable_htp_fp16_clamp_overflow", "fp16_clamp"},
    Refused{"qnn_context_priority", "context_priority"},
    Refused{"profiling_level", "profiling"},
    Refused{"profiling_file_path", "profiling_path"},
    Refused{"extended_udma", "dma"},
    Refused{"enable_htp_spill_fill_buffer", "spill_fill"},
    Refused{"enable_htp_shared_memory_allocator", "shared_memory: on"},
    Refused{"mem_type", "shared_memory: on"},
    Refused{"vtcm_size_in_mb", "vtcm_mb"},
    Refused{"use_extended_udma", "dma"},
    Refused{"graph_priority", "context_priority"},
};

constexpr std::string_view kOnlyHtp =
    "only QNN's HTP backend is used; with its gpu, ir and saver, runs succeed and their outputs mean nothing";
constexpr std::string_view kMeaningless = "runs succeed with it and their outputs mean nothing";
constexpr std::string_view kNoSuchSetting = "ONNX Runtime's provider has no such setting";

constexpr std::string_view kOneGraph = "a session has one graph, and these settings are its";
constexpr std::string_view kOneNpu = "there is one NPU";
constexpr std::string_view kOwnFiles =
    "it makes the provider write files of its own; sluice inspect and sluice profile tell what is in them";
constexpr std::string_view kSplits = "every run fails with a split graph (QNN error 1100)";
constexpr std::string_view kUntried = "what it does to results and times has never been measured here";

constexpr std::array kNotTaken = {
    Refused{"backend_type", kOnlyHtp},
    Refused{"backend_path", kOnlyHtp},
    Refused{"qnn_saver_path", kMeaningless},
    Refused{"dump_qnn_ir_dlc", kMeaningless},
    Refused{"qnn_ir_backend_path", kMeaningless},
    Refused{"hvx_threads", kNoSuchSetting},
    Refused{"dlbc", kNoSuchSetting},
    Refused{"weight_sharing_enabled", kNoSuchSetting},
    Refused{"rpc_polling_time", kNoSuchSetting},
    Refused{"offload_graph_io_quantization", "the plan decides where edges are quantised"},
    Refused{"enable_htp_prepare_only", "use sluice compile"},
    Refused{"device_id", kOneNpu},
    Refused{"core_id", kOneNpu},
    Refused{"num_cores", kNoSuchSetting},
    Refused{"pd_session", kNoSuchSetting},
    Refused{"hmx_timeout_us", kNoSuchSetting},
    Refused{"adaptive_polling_time", kNoSuchSetting},
    Refused{"finalize_config", kNoSuchSetting},
    Refused{"weights_packing", kNoSuchSetting},
    Refused{"short_depth_conv_on_hmx_off", kNoSuchSetting},
    Refused{"advanced_activation_fusion", kNoSuchSetting},
    Refused{"memory_limit_hint", kNoSuchSetting},
    Refused{"file_read_memory_budget_in_mb", kNoSuchSetting},
    Refused{"io_memory_estimation", kNoSuchSetting},
    Refused{"graph_names", kOneGraph},
    Refused{"enable_graphs", kOneGraph},
    Refused{"dump_qnn_ir_dlc_dir", kMeaningless},
    Refused{"dump_json_qnn_graph", kOwnFiles},
    Refused{"json_qnn_graph_dir", kOwnFiles},
    Refused{"dump_qnn_ep_input_graph", kOwnFiles},
    Refused{"dump_qnn_ep_input_graph_dir", kOwnFiles},
    Refused{"enable_framework_op_trace", kOwnFiles},
    Refused{"framework_op_trace_dir", kOwnFiles},
    Refused{"op_affinity", "all operators run on the HTP"},
    Refused{"genie_log_level", "there is one log level for all: --log-level"},
    Refused{"enable_htp_prepare_and_load", "what was compiled is kept and loaded by Sluice's own cache"},
    Refused{"num_graph_prepare_threads", kSplits},
    Refused{"htp_graph_splitting_num_prepare_threads", kSplits},
    Refused{"enable_dx12_shared_memory_allocator", "it is for Windows"},
    Refused{"enable_htp_monolithic_lstm", kUntried},
    Refused{"enable_block_quant_weight_optimization", kUntried},
    Refused{"enable_vtcm_backup_buffer_sharing", kUntried},
    Refused{"htp_share_resource_optimization", kUntried},
    Refused{"htp_reused_io_limit_mb", kUntried},
    Refused{"disable_file_mapped_weights", kUntried},
    Refused{"op_packages", "operators from outside would be native code on the NPU"},
    Refused{"skip_backend_op_validation", "operators that the NPU cannot run would be given to it"},
    Refused{"skip_qnn_version_check", "libraries that do not fit would be loaded"},
    Refused{"htp_bf16_enable", "no chip that `soc` knows computes in bf16"},
    Refused{"enable_htp_graph_splitting", kSplits},
};

}  // namespace

const std::vector<std::string>& htp_performance_modes() {
  static const std::vector<std::string> kModes = {"burst",
                                                  "sustained_high_performance",
                                                  "high_performance",
                                                  "balanced",
                                                  "low_balanced",
                                                  "high_power_saver",
                                                  "power_saver",
                                                  "low_power_saver",
                                                  "extreme_power_saver",
                                                  "default",
                                                  "auto"};
  return kModes;
}

OptionDeclaration htp_section() {
  OptionDeclaration htp = option("htp", OptionKind::kMap, {}, "Qualcomm Hexagon NPU through QNN.");
  add_running(htp);
  add_chip(htp);
  add_compilation(htp);
  return htp;
}

std::string why_htp_refuses(std::string_view key) {
  if (const auto* found = std::ranges::find(kOtherNames, key, &Refused::key); found != kOtherNames.end())
    return "write " + std::string(found->reason);
  const auto* found = std::ranges::find(kNotTaken, key, &Refused::key);
  return found == kNotTaken.end() ? std::string() : std::string(found->reason);
}

}  // namespace sluice
