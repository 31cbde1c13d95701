#include "tools/sluice/machine.h"

#include <dlfcn.h>
#include <sys/utsname.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "backends/backends.h"
#include "framework/core/clock.h"
#include "inference/telemetry/sysfs_telemetry.h"
#include "runtime/library.h"

namespace sluice::cli {
namespace {

namespace fs = std::filesystem;

// Versions below these have published vulnerabilities.
constexpr std::string_view kOnnxRuntimeFloor = "1.28";
constexpr std::string_view kOpenCvFloor = "4.12";
constexpr std::string_view kTbbFloor = "2021.6";

// The value behind "KEY<spaces>:" of a /proc file.
std::string proc_value(const fs::path& path, std::string_view key) {
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    const std::size_t colon = line.find(':');
    if (!line.starts_with(key) || colon == std::string::npos) continue;
    const std::size_t start = line.find_first_not_of(" \t", colon + 1);
    return start == std::string::npos ? "" : line.substr(start);
  }
  return {};
}

std::optional<double> leading_number(std::string_view text) {
  double value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc{} ? std::optional(value) : std::nullopt;
}

std::vector<fs::path> entries(const fs::path& folder, std::string_view prefix) {
  std::vector<fs::path> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().filename().string().starts_with(prefix)) out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<BackendState> backends(const std::string& root) {
  std::vector<BackendState> out;
  SteadyClock clock;
  for (const auto& backend : make_backends(clock)) {
    const Status status = backend->available();
    out.push_back({std::string(backend->name()),
                   status.ok(),
                   status.message(),
                   backend->simulated(),
                   status.ok() ? backend->version() : std::string(),
                   {}});
    if (backend->name() != "htp") continue;
    const htp::Places places = htp::places_of_process(root, backend->simulated());
    out.back().parts = htp::look_at_parts(places);
    out.back().parts.push_back(htp::compare_releases(places));
  }
  return out;
}

LibraryState onnxruntime() {
  LibraryState out{"ONNX Runtime", std::nullopt, {}, {}};
  const Result<std::string> found = onnxruntime_version();
  if (!found.ok()) {
    out.detail = found.status().message();
    return out;
  }
  const std::size_t space = found->find(' ');
  out.version = found->substr(0, space);
  if (space != std::string::npos) out.detail = found->substr(space + 1);
  out.warning = floor_warning(*out.version, kOnnxRuntimeFloor);
  return out;
}

// Asked of the library that is loaded, which need not be the one of the build.
LibraryState tbb() {
  using GetVersion = const char* (*)();
  const auto ask = reinterpret_cast<GetVersion>(::dlsym(RTLD_DEFAULT, "TBB_runtime_version"));
  if (!ask) return {"oneTBB", std::nullopt, "not loaded", {}};
  return {"oneTBB", ask(), {}, floor_warning(ask(), kTbbFloor)};
}

std::vector<LibraryState> libraries() {
  return {
      onnxruntime(),
      tbb(),
      {"OpenCV", SLUICE_OPENCV_VERSION, "of the build", floor_warning(SLUICE_OPENCV_VERSION, kOpenCvFloor)},
      {"libavcodec", SLUICE_LIBAVCODEC_VERSION, "of the build", {}},
      {"yaml-cpp", SLUICE_YAML_CPP_VERSION, "of the build", {}},
      {"spdlog", SLUICE_SPDLOG_VERSION, "of the build", {}}};
}

// Loads and energies are known from the second look on.
std::vector<SensorState> sensors(const fs::path& root) {
  SteadyClock clock;
  SysfsTelemetry telemetry(root == "/" ? "" : root.string());
  telemetry.sample(clock.now());
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  telemetry.sample(clock.now());
  return telemetry.sensors();
}

}  // namespace

std::string floor_warning(std::string_view version, std::string_view floor) {
  std::string_view have = version, need = floor;
  while (!need.empty()) {
    const double a = leading_number(have.substr(0, have.find('.'))).value_or(0);
    const double b = leading_number(need.substr(0, need.find('.'))).value_or(0);
    if (a > b) return {};
    if (a < b) return "has known vulnerabilities; use " + std::string(floor) + " or later";
    have.remove_prefix(std::min(have.size(), have.substr(0, have.find('.')).size() + 1));
    need.remove_prefix(std::min(need.size(), need.substr(0, need.find('.')).size() + 1));
  }
  return {};
}

Machine look_at_machine(const std::string& root) {
  Machine out;
  out.version = version();
  utsname names{};
  if (::uname(&names) == 0) out.architecture = names.machine;
  out.cpu = proc_value(fs::path(root) / "proc/cpuinfo", "model name");
  out.cores = static_cast<int>(std::thread::hardware_concurrency());
  if (const auto kib = leading_number(proc_value(fs::path(root) / "proc/meminfo", "MemTotal")))
    out.memory_mb = *kib / 1024;
  out.backends = backends(root);
  out.libraries = libraries();
  out.sensors = sensors(root);
  for (const fs::path& camera : entries(fs::path(root) / "dev", "video"))
    out.cameras.push_back("/dev/" + camera.filename().string());
  return out;
}

}  // namespace sluice::cli
