// What this machine can do and what is missing, for `sluice doctor`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backends/htp/parts.h"
#include "inference/telemetry/telemetry.h"

namespace sluice::cli {

struct BackendState {
  std::string name;
  bool available = false;
  std::string reason;  // exactly why not
  bool simulated = false;
  std::string version;           // of what it is made of; may be empty
  std::vector<htp::Part> parts;  // what it needs, where that is many things
};

struct LibraryState {
  std::string name;
  std::optional<std::string> version;  // none: not there
  std::string detail;                  // where it lies, or why it is not there
  std::string warning;                 // known-bad; empty: nothing known against it
};

struct Machine {
  std::string version;       // of Sluice
  std::string architecture;  // "x86_64"
  std::string cpu;
  int cores = 0;
  std::optional<double> memory_mb;
  std::vector<BackendState> backends;
  std::vector<LibraryState> libraries;
  std::vector<SensorState> sensors;
  std::vector<std::string> cameras;  // /dev/videoN
};

// `root` stands for "/" in tests. Loads ONNX Runtime; everything else is looked at only.
Machine look_at_machine(const std::string& root = "/");

// Empty when `version` is at least `floor`, comparing dotted numbers; else what to do.
std::string floor_warning(std::string_view version, std::string_view floor);

std::string machine_text(const Machine& machine);
std::string machine_json(const Machine& machine);

}  // namespace sluice::cli
