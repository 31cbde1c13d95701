// DeviceProfile: a device as its simulation sees it. Plain data, read from YAML (profile_reader.h) or
// identified from recorded runs (`sluice fit`). Every group of numbers says where it comes from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inference/telemetry/readings.h"

namespace sluice {

// What a number rests on; printed wherever a profile is shown.
enum class Label : std::uint8_t { kPublished, kAssumed, kFitted };  // "P", "A", "F"
std::string_view name_of(Label label);

struct Origin {
  Label label = Label::kAssumed;
  std::string from;  // the source, or why it is assumed
};

// One capacity of the RC network. Index kAmbient stands for the surroundings, whose temperature is given.
constexpr int kAmbient = -1;
struct ThermalNode {
  std::string name;
  double heat_j_per_k = 1;
};
struct ThermalLink {
  int a = 0, b = kAmbient;
  double k_per_w = 1;
};

// What computes and heats: an NPU, a GPU, the CPU cores. Its power between idle and active follows
// speed^2.5 while it is busy.
struct UnitProfile {
  std::string name;
  UnitRole role = UnitRole::kCpu;
  int node = 0;  // where its heat goes
  double idle_w = 0;
  double active_w = 1;  // all queues busy at full speed
  int queues = 1;       // runs at once
  double min_speed = 0.1;
  double max_mhz = 0;  // 0: not told
  Origin origin;
};

struct ModeProfile {
  std::string name;
  double speed = 1;  // share of the full clock
};

struct BackendProfile {
  std::string name;
  int unit = 0;
  double overhead_ms = 0;          // per run, at any speed
  double gmacs_per_s = 0;          // for models that the profile does not list; 0: it cannot run them
  double base_ms = 0;              // ... and what such a model takes whatever its size
  double jitter = 0;               // a run takes up to this share more or less
  std::vector<ModeProfile> modes;  // empty: one, full speed
  Origin origin;
};

struct ModelProfile {
  std::vector<std::string> files;  // file names without folder and extension
  std::string backend;
  double latency_ms = 0;  // at full speed, without overhead_ms
  Origin origin;
};

struct NodeCostProfile {
  std::string type;  // of a node; "default": every other
  double ms = 0;     // on the CPU at full speed
  Origin origin;
};

struct SensorProfile {
  HeatRole role = HeatRole::kCpu;
  int node = 0;
  double noise_c = 0;  // standard deviation
  double step_c = 0;   // 0: none
  double lag_s = 0;    // first order
};

// A limit of one thermal node: above it the units slow down step by step, once a period.
struct TripProfile {
  int node = 0;
  double limit_c = 95;
  double hysteresis_c = 2;
  double step = 0.05;
  std::vector<int> slows;  // units
};

enum class GovernorKind : std::uint8_t { kNone, kStep, kIpa };
// IPA after the kernel's power_allocator: P = sustainable_w + k e + k_i sum(e), shared among the units.
struct GovernorProfile {
  GovernorKind kind = GovernorKind::kNone;
  double period_s = 1;
  std::vector<TripProfile> trips;
  double sustainable_w = 0, k_po = 0, k_pu = 0, k_i = 0;
  double switch_on_below_c = 10;  // acts from `limit_c` less this on
  Origin origin;
};

struct DeviceProfile {
  std::string name;
  std::string about;
  double ambient_c = 25;
  std::vector<ThermalNode> nodes;
  std::vector<ThermalLink> links;
  Origin thermal_origin;
  std::vector<UnitProfile> units;
  double rest_w = 0;  // what everything else draws, all the time
  int rest_node = 0;
  std::vector<BackendProfile> backends;
  std::vector<ModelProfile> models;
  std::vector<NodeCostProfile> node_costs;
  std::vector<SensorProfile> sensors;
  double power_noise = 0;  // share, standard deviation
  GovernorProfile governor;

  const BackendProfile* backend(std::string_view name) const;
  const UnitProfile* unit(UnitRole role) const;
};

}  // namespace sluice
