#include "framework/node/sections.h"

#include "framework/node/htp_section.h"

namespace sluice {
namespace {

constexpr double kNoLimit = std::numeric_limits<double>::infinity();
constexpr double kSmallest = 0.001;  // of a rate, a time or a power: more than nothing

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

// A step is one candidate; `auto` is several.
std::vector<std::string> modes_of_a_step() {
  std::vector<std::string> out = htp_performance_modes();
  std::erase(out, "auto");
  return out;
}

OptionDeclaration degrade() {
  return option("degrade", OptionKind::kMaps, {OptionList{}},
                "Steps taken one after the other when a limit is near.")
      .child(option("performance_mode", OptionKind::kChoice, {}, "Of htp, from this step on.")
                 .any_of(modes_of_a_step()))
      .child(option("variant", OptionKind::kText, {}, "The model's variant, from this step on."))
      .child(option("rate_hz", OptionKind::kNumber, {}, "Most frames per second into the node.")
                 .in_unit("Hz")
                 .range(kSmallest, kNoLimit))
      .child(option("backend", OptionKind::kText, {}, "The backend, from this step on."));
}

std::deque<OptionDeclaration> make_selector() {
  std::deque<OptionDeclaration> out;
  out.push_back(option("policy", OptionKind::kChoice, text("fixed"), "How backend and variant are chosen.")
                    .any_of({"fixed", "latency", "throughput", "efficiency", "balanced", "sustained"}));
  out.push_back(
      option("target_fps", OptionKind::kNumber, {}, "Rate to reach; default: the source's, at pace max none.")
          .in_unit("fps")
          .range(kSmallest, kNoLimit));
  out.push_back(option("latency_budget_ms", OptionKind::kNumber, {}, "Most time one run may take.")
                    .in_unit("ms")
                    .range(kSmallest, kNoLimit));
  out.push_back(option("power_budget_w", OptionKind::kNumber, {}, "Most power drawn.")
                    .in_unit("W")
                    .range(kSmallest, kNoLimit));
  out.push_back(option("max_temperature_c", OptionKind::kNumber, {}, "Hottest of npu, gpu and cpu.")
                    .in_unit("degrees C")
                    .range(-50, 200));
  out.push_back(option("min_snr_db", OptionKind::kNumber, {}, "Least accuracy against the float model.")
                    .in_unit("dB")
                    .range(-100, 300));
  out.push_back(option("dwell_s", OptionKind::kNumber, {10.0}, "Least time between two switches.")
                    .in_unit("s")
                    .range(0, kNoLimit));
  out.push_back(option("min_gain", OptionKind::kNumber, {0.15},
                       "Least predicted gain that justifies a switch; of performance modes under "
                       "policy sustained 0.03, if that is less.")
                    .range(0, kNoLimit));
  out.push_back(degrade());
  return out;
}

OptionDeclaration gpu() {
  return option("gpu", OptionKind::kMap, {}, "OpenCL.")
      .child(option("device", OptionKind::kText, text("auto"), "Which device, by name."))
      .child(option("precision", OptionKind::kChoice, text("auto"), "Of float models.")
                 .any_of({"auto", "fp16", "fp32"}))
      .child(option("performance_mode", OptionKind::kChoice, text("auto"),
                    "Clocks, as htp's; a hint to Qualcomm's drivers. auto: none.")
                 .any_of(htp_performance_modes()))
      .child(option("context_priority", OptionKind::kChoice, text("normal"),
                    "Among programs on the GPU; a hint to Qualcomm's drivers. normal: none.")
                 .any_of({"low", "normal", "high"}))
      .child(option("run_timeout_ms", OptionKind::kNumber, {10000.0}, "A run that takes longer is given up.")
                 .in_unit("ms")
                 .range(1, 3'600'000));
}

OptionDeclaration cpu() {
  return option("cpu", OptionKind::kMap, {}, "ONNX Runtime's CPU provider.")
      .child(option("threads", OptionKind::kInteger, text("auto"), "Threads within one run.")
                 .range(1, 256)
                 .any_of({"auto"}))
      .child(option("cores", OptionKind::kNumberSet, text("auto"), "auto, big, all, or a list such as 0,4-7.")
                 .any_of({"auto", "big", "all"}))
      .child(
          option("spinning", OptionKind::kBool, {false}, "Whether idle threads spin instead of sleeping."));
}

OptionDeclaration fake() {
  return option("fake", OptionKind::kMap, {}, "No model runs: outputs are zeros and a stamp.")
      .child(option("latency_ms", OptionKind::kNumber, {10.0}, "Time of one run.")
                 .in_unit("ms")
                 .range(0, 3'600'000))
      .child(option("jitter_ms", OptionKind::kNumber, {0.0}, "Spread of that time.")
                 .in_unit("ms")
                 .range(0, 3'600'000))
      .child(option("heat_w", OptionKind::kNumber, {0.0}, "Heat of a run, for simulated devices.")
                 .in_unit("W")
                 .range(0, 1000))
      .child(option("fail_at", OptionKind::kNumbers, {OptionList{}}, "Runs that fail, by number.")
                 .range(0, kNoLimit))
      .child(option("hang_at", OptionKind::kNumbers, {OptionList{}}, "Runs that hang, by number.")
                 .range(0, kNoLimit))
      .child(option("nan_at", OptionKind::kNumbers, {OptionList{}},
                    "Runs whose float outputs are NaN, by number.")
                 .range(0, kNoLimit))
      .child(option("run_timeout_ms", OptionKind::kNumber, {10000.0}, "A run that takes longer is given up.")
                 .in_unit("ms")
                 .range(1, 3'600'000))
      .child(option("seed", OptionKind::kInteger, whole(1), "Of the jitter."));
}

std::deque<OptionDeclaration> make_device() {
  std::deque<OptionDeclaration> out;
  out.push_back(option("telemetry", OptionKind::kChoice, text("auto"),
                       "Where temperatures, clocks and power come from.")
                    .any_of({"auto", "sysfs", "simulated", "trace", "none"}));
  out.push_back(option("profile", OptionKind::kText, {}, "simulated: a shipped profile or a path."));
  out.push_back(option("trace", OptionKind::kPath, {}, "trace: a recorded run."));
  return out;
}

}  // namespace

const std::deque<OptionDeclaration>& selector_section() {
  static const std::deque<OptionDeclaration> kSection = make_selector();
  return kSection;
}

const std::deque<OptionDeclaration>& backends_section() {
  static const std::deque<OptionDeclaration> kSection = {htp_section(), gpu(), cpu(), fake()};
  return kSection;
}

std::string why_not_taken(std::string_view key) {
  constexpr std::string_view kHtp = "htp.";
  return key.starts_with(kHtp) ? why_htp_refuses(key.substr(kHtp.size())) : std::string();
}

bool is_profile_path(std::string_view profile) {
  return profile.find_first_of("/.") != std::string_view::npos;
}

const std::deque<OptionDeclaration>& device_section() {
  static const std::deque<OptionDeclaration> kSection = make_device();
  return kSection;
}

}  // namespace sluice
