// From the pipeline file's words to the provider's own: each checked here, because the provider ignores what
// it does not know and takes unknown chips for the oldest one.
#pragma once

#include <map>
#include <string>

#include "framework/core/clock.h"
#include "framework/core/status.h"
#include "framework/node/htp_socs.h"
#include "framework/node/options.h"

namespace sluice::htp {

// What decides how options are read, beside the options themselves.
struct Target {
  bool simulated = false;
  std::string machine;       // what the device calls itself; empty: it does not say
  bool float_model = false;  // no operator of the model is quantised
};

struct HtpOptions {
  std::map<std::string, std::string> provider;  // of AppendExecutionProvider_V2, in a fixed order
  std::string soc;                              // name; empty: the library finds out
  int arch = 0;                                 // 0: the library finds out
  std::string performance_mode;                 // QNN's word; "auto" is `balanced`
  TimeNs idle_release = 0;
};

// `options` are complete (with_defaults). kInvalid: contradictory or out of range; kUnavailable: the chip
// cannot do it. Both say what to write.
Result<HtpOptions> read_htp_options(const OptionMap& options, const Target& target);

// What the kernel under ROOT calls this machine: "QCS6490", or "qcom,qcs6490-rb3gen2 qcom,qcs6490"; may be
// empty.
std::string machine_name(const std::string& root);

}  // namespace sluice::htp
