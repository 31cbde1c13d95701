// Settings of the htp backend that cannot hold together, as far as the file alone can tell.
#pragma once

#include <string>
#include <vector>

#include "framework/node/htp_socs.h"
#include "framework/node/options.h"

namespace sluice {

// "KEY TEXT" is a sentence: "arch" and "is 'v73', but soc 'qcs6490' has v68; leave arch out".
struct HtpContradiction {
  std::string key;
  std::string text;
};

// `htp`: all settings, defaults filled in. `chip`: what `soc` stands for, null where only a device can tell;
// then nothing that depends on it is judged.
std::vector<HtpContradiction> htp_contradictions(const Options& htp, const HtpSoc* chip);

}  // namespace sluice
