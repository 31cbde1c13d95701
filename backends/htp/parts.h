// Everything that the NPU needs on this machine, part by part, for `sluice doctor` and for one message that
// names all that is missing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "backends/htp/device.h"
#include "framework/core/status.h"

namespace sluice::htp {

struct Part {
  std::string name;     // "libQnnHtp.so", "FastRPC node"
  std::string found;    // where it lies, or which version it is; empty: missing
  std::string problem;  // what is wrong and what to do; empty: nothing
  bool needed = true;   // without it no session opens, else it is a hint
};

struct Places {
  std::string root = "/";            // of the file system that says which device this is
  std::vector<std::string> folders;  // where the provider is looked for (provider_folders)
  std::string search_path;           // ADSP_LIBRARY_PATH's value
  bool simulated = false;            // no device is needed
};
// Of this process's environment.
Places places_of_process(const std::string& root, bool simulated);

// In the order in which one would put them there. Looks only whether they are there.
std::vector<Part> look_at_parts(const Places& places);
// The kernel's way to the NPU.
Part node_part(const DeviceState& state);
// Whether all of QNN's libraries that say their release are of the same. Reads them: up to 100 MB.
Part compare_releases(const Places& places);

// Ok, or kUnavailable with the problem of every needed part.
Status check_parts(const std::vector<Part>& parts);

// The release that a library of QNN says it is of ("2.51.0.260929181845"); empty: it does not say.
std::string qairt_release_in(std::string_view library);

}  // namespace sluice::htp
