#include "framework/node/htp_socs.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace sluice {
namespace {

constexpr std::array kSocs = {
    HtpSoc{"sm8350", 30, 68, 4},   HtpSoc{"qcs6490", 35, 68, 2},  HtpSoc{"qcm6490", 35, 68, 2},
    HtpSoc{"sm7325", 35, 68, 2},   HtpSoc{"sc8280xp", 37, 68, 0}, HtpSoc{"sa8295", 39, 68, 8},
    HtpSoc{"sm8450", 36, 69, 8},   HtpSoc{"sm8475", 42, 69, 8},   HtpSoc{"sxr2230p", 53, 69, 8},
    HtpSoc{"sm8550", 43, 73, 8},   HtpSoc{"qcs8550", 66, 73, 8},  HtpSoc{"sxr1230p", 45, 73, 2},
    HtpSoc{"ssg2115p", 46, 73, 2}, HtpSoc{"sa8255", 52, 73, 8},   HtpSoc{"ssg2125p", 58, 73, 2},
    HtpSoc{"sc8380xp", 60, 73, 8}, HtpSoc{"qcs9100", 77, 73, 8},  HtpSoc{"sm8650", 57, 75, 8},
    HtpSoc{"sm8750", 69, 79, 8},   HtpSoc{"sxr2330p", 75, 79, 8}, HtpSoc{"sm8850", 87, 81, 8},
    HtpSoc{"sar2230p", 95, 81, 4},
};

}  // namespace

std::span<const HtpSoc> htp_socs() { return kSocs; }

const HtpSoc* find_htp_soc(std::string_view name) {
  const auto found = std::ranges::find(kSocs, name, &HtpSoc::name);
  return found == kSocs.end() ? nullptr : &*found;
}

const HtpSoc* htp_soc_in(std::string_view machine) {
  std::string lower(machine);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto found =
      std::ranges::find_if(kSocs, [&lower](const HtpSoc& soc) { return lower.find(soc.name) != lower.npos; });
  return found == kSocs.end() ? nullptr : &*found;
}

HtpClass htp_class(int arch) {
  if (arch <= 69) return HtpClass::kV68;
  return arch <= 79 ? HtpClass::kV73 : HtpClass::kV81;
}

std::vector<std::string> htp_soc_choices() {
  std::vector<std::string> out = {"auto"};
  for (const HtpSoc& soc : kSocs) out.emplace_back(soc.name);
  return out;
}

std::vector<std::string> htp_arch_choices() { return {"auto", "v68", "v69", "v73", "v75", "v79", "v81"}; }

}  // namespace sluice
