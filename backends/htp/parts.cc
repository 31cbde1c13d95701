#include "backends/htp/parts.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "backends/htp/provider.h"
#include "backends/htp/shared_memory.h"
#include "inference/model_file.h"

namespace sluice::htp {
namespace {

namespace fs = std::filesystem;

// FastRPC's user side, which the stub loads.
constexpr const char* kRpcLibrary = "libcdsprpc.so";
constexpr std::array kRpcFolders = {"/usr/lib", "/usr/lib64",    "/usr/lib/aarch64-linux-gnu",
                                    "/lib",     "/vendor/lib64", "/system/vendor/lib64"};
constexpr const char* kFetch = "run tools/dev setup, or set SLUICE_QNN to a folder that has all of them";

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

// The first folder that has the provider, else the first that has any of its companions; may be empty.
std::string folder_of_provider(const std::vector<std::string>& folders) {
  for (const char* name : {kProviderFile, kBackendFile, kSystemFile})
    for (const std::string& folder : folders)
      if (is_there(fs::path(folder) / name)) return folder;
  return {};
}

Part library_part(const char* name, const std::string& what_for, const std::vector<std::string>& folders) {
  const std::string folder = folder_of_provider(folders);
  if (!folder.empty() && is_there(fs::path(folder) / name)) return {name, folder, {}, true};
  const std::string where = folder.empty()
                                ? (folders.empty() ? "not in any known folder" : "not in " + joined(folders))
                                : "missing in '" + folder + "'";
  return {name, {}, std::string(name) + " (" + what_for + ") is " + where + "; " + kFetch, true};
}

Part skeleton_part(const DeviceState& state) {
  Part out{"libQnnHtpV*Skel.so", joined(state.skeletons), {}, true};
  if (state.skeletons.empty())
    out.problem = "the library that runs on the NPU (libQnnHtpV*Skel.so) is in none of " +
                  joined(state.searched) + "; set ADSP_LIBRARY_PATH to its folder";
  return out;
}

Part rpc_part(const std::string& root) {
  Part out{kRpcLibrary, {}, {}, false};
  std::vector<std::string> folders;
  for (const char* folder : kRpcFolders) {
    folders.emplace_back(folder);
    const fs::path path = fs::path(root) / fs::path(folder).relative_path() / kRpcLibrary;
    if (out.found.empty() && is_there(path)) out.found = folder;
  }
  if (out.found.empty())
    out.problem = std::string(kRpcLibrary) + " (speaks to the FastRPC node) is in none of " +
                  joined(folders) + "; install the device's fastrpc package";
  return out;
}

Part shared_memory_part(bool simulated, const Part& rpc) {
  const std::string none = "none: ", copied = "; inputs and outputs are copied";
  if (simulated) return {"shared memory", none + kSimulatorSharesNothing + copied, {}, false};
  if (rpc.found.empty())
    return {"shared memory", none + "it is " + kRpcLibrary + "'s to lend" + copied, {}, false};
  return {"shared memory", std::string("rpcmem of ") + kRpcLibrary, {}, false};
}

// What speaks to "libQnnHtpV73Skel.so" (look_at_device): "libQnnHtpV73Stub.so".
std::string stub_for(const std::string& skeleton) {
  const std::string name = fs::path(skeleton).filename();
  return name.substr(0, name.size() - std::string_view("Skel.so").size()) + "Stub.so";
}

std::optional<Part> stub_part(const DeviceState& state, const std::string& folder) {
  if (state.skeletons.empty() || folder.empty()) return std::nullopt;
  std::vector<std::string> wanted;
  for (const std::string& skeleton : state.skeletons) {
    const std::string name = stub_for(skeleton);
    if (is_there(fs::path(folder) / name)) return Part{name, folder, {}, false};
    wanted.push_back(name);
  }
  return Part{wanted[0],
              {},
              joined(wanted) + " (speaks to the library on the NPU) is not in '" + folder +
                  "', beside libQnnHtp.so; take it from the same QAIRT release",
              false};
}

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

}  // namespace

Places places_of_process(const std::string& root, bool simulated) {
  const char* path = std::getenv("ADSP_LIBRARY_PATH");
  return {root, provider_folders(), path ? path : "", simulated};
}

std::string qairt_release_in(std::string_view library) {
  // MAJOR.MINOR.PATCH and a build's date and time: look for its twelve digits behind a full stop.
  constexpr std::size_t kStamp = 12;
  for (std::size_t at = library.find('.'); at != std::string_view::npos; at = library.find('.', at + 1)) {
    const std::string_view stamp = library.substr(at + 1, kStamp);
    if (stamp.size() < kStamp || !std::ranges::all_of(stamp, is_digit)) continue;
    std::size_t start = at;
    int dots = 0;
    while (start > 0 && (is_digit(library[start - 1]) || library[start - 1] == '.') && at - start < 16)
      dots += library[--start] == '.' ? 1 : 0;
    if (dots == 2) return std::string(library.substr(start, at - start + 1 + kStamp));
  }
  return {};
}

Part node_part(const DeviceState& state) {
  Part out{"FastRPC node", joined(state.nodes), {}, true};
  if (state.nodes.empty()) {
    out.problem =
        "the kernel offers no FastRPC node to the NPU (/dev/fastrpc-cdsp, /dev/adsprpc-smd): this is no "
        "Snapdragon device, or its FastRPC driver is not loaded";
  } else if (state.unusable.size() == state.nodes.size()) {
    out.problem = joined(state.unusable) +
                  " may not be opened by this user; add it to the node's group (fastrpc or system)";
  }
  return out;
}

std::vector<Part> look_at_parts(const Places& places) {
  std::vector<Part> out = {library_part(kProviderFile, "QNN's execution provider", places.folders),
                           library_part(kBackendFile, "compiles and runs for the NPU", places.folders),
                           library_part(kSystemFile, "reads compiled models", places.folders)};
  if (places.simulated) {
    out.push_back(shared_memory_part(true, {}));
    return out;
  }
  const std::string folder = folder_of_provider(places.folders);
  const DeviceState state = look_at_device(places.root, places.search_path, folder);
  out.push_back(node_part(state));
  const Part rpc = rpc_part(places.root);
  out.push_back(rpc);
  out.push_back(shared_memory_part(false, rpc));
  out.push_back(skeleton_part(state));
  if (auto stub = stub_part(state, folder)) out.push_back(std::move(*stub));
  return out;
}

Part compare_releases(const Places& places) {
  const std::string folder = folder_of_provider(places.folders);
  std::vector<std::string> libraries = {fs::path(folder) / kBackendFile, fs::path(folder) / kSystemFile};
  if (!places.simulated) {
    for (const std::string& skeleton : look_at_device(places.root, places.search_path, folder).skeletons) {
      libraries.push_back(fs::path(folder) / stub_for(skeleton));
      libraries.push_back(fs::path(places.root) / fs::path(skeleton).relative_path());
    }
  }
  Part out{"QAIRT release", {}, {}, false};
  std::string seen;
  for (const std::string& path : libraries) {
    const auto file = ModelFile::open(path);
    const std::string release = file.ok() ? qairt_release_in((*file)->bytes()) : std::string();
    if (release.empty()) continue;
    seen += (seen.empty() ? "" : ", ") + fs::path(path).filename().string() + " is of " + release;
    if (out.found.empty()) out.found = release;
    if (release != out.found) out.problem = seen + ": take all of them from one QAIRT release";
  }
  if (out.found.empty()) out.problem = "no library of QNN says of which QAIRT release it is";
  return out;
}

Status check_parts(const std::vector<Part>& parts) {
  std::string problems;
  for (const Part& part : parts)
    if (part.needed && !part.problem.empty()) problems += (problems.empty() ? "" : ". Also: ") + part.problem;
  return problems.empty() ? Status{} : unavailable(problems);
}

}  // namespace sluice::htp
