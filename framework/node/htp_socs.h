// The chips that the pipeline file's `soc` may name. QNN itself takes any text: unknown names become v68
// without an error.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

// One of three groups whose results are equal bit by bit; measured on the simulator of QAIRT 2.51.
enum class HtpClass : unsigned char { kV68, kV73, kV81 };

struct HtpSoc {
  std::string_view name;  // "qcs6490"
  int number;             // QNN's SoC model
  int arch;               // Hexagon version: 68
  int vtcm_mb;            // fast memory of the NPU; 0: not known
};

// Numbers, architectures and memory sizes: ExecuTorch's Qualcomm table (qc_schema.py) and the headers of
// QAIRT; every number was run on the simulator.
std::span<const HtpSoc> htp_socs();
// Null for an unknown name.
const HtpSoc* find_htp_soc(std::string_view name);
// The chip whose name appears in what the device calls itself ("Qualcomm Technologies, Inc. QCS6490"); null:
// none.
const HtpSoc* htp_soc_in(std::string_view machine);
HtpClass htp_class(int arch);
// "auto", then all names.
std::vector<std::string> htp_soc_choices();
// "auto", "v68", ...
std::vector<std::string> htp_arch_choices();

}  // namespace sluice
