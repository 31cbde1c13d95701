#include "framework/node/htp_rules.h"

namespace sluice {
namespace {

constexpr int kOldestDma = 81;

std::string arch_name(int arch) { return "v" + std::to_string(arch); }

// What the file says of the NPU's version; 0: nothing.
int known_arch(const Options& htp, const HtpSoc* chip) {
  if (chip) return chip->arch;
  const std::string& arch = htp.text("arch");
  return arch == "auto" ? 0 : std::stoi(arch.substr(1));
}

}  // namespace

std::vector<HtpContradiction> htp_contradictions(const Options& htp, const HtpSoc* chip) {
  std::vector<HtpContradiction> out;
  const std::string soc = chip ? "soc '" + std::string(chip->name) + "'" : "";
  const int arch = known_arch(htp, chip);
  if (const std::string& written = htp.text("arch"); chip && written != "auto" && written != arch_name(arch))
    out.push_back(
        {"arch", "is '" + written + "', but " + soc + " has " + arch_name(arch) + "; leave arch out"});
  const std::int64_t vtcm = htp.integer("vtcm_mb");
  if (chip && chip->vtcm_mb > 0 && vtcm > chip->vtcm_mb)
    out.push_back({"vtcm_mb", "is " + std::to_string(vtcm) + ", but " + soc + " has " +
                                  std::to_string(chip->vtcm_mb) + " MB; 0 is the library's default"});
  if (htp.flag("dma") && arch > 0 && arch < kOldestDma)
    out.push_back({"dma", "(extended DMA) needs " + arch_name(kOldestDma) + ", but " + (chip ? soc : "arch") +
                              " has " + arch_name(arch) + "; leave dma out"});
  if (htp.text("profiling") != "off" && !htp.has("profiling_path"))
    out.push_back(
        {"profiling", "is '" + htp.text("profiling") + "', but that needs profiling_path, the CSV file"});
  return out;
}

}  // namespace sluice
