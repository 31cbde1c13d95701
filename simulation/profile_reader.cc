#include "simulation/profile_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <span>

#include "framework/core/suggest.h"
#include "framework/node/htp_section.h"
#include "framework/spec/yaml.h"
#include "inference/backend_options.h"
#include "simulation/profile_fields.h"

namespace sluice {
namespace {

constexpr std::size_t kMostNodes = 64;
constexpr std::size_t kMostBytes = 256 * 1024;

template <typename T>
std::vector<std::string> names_of(const std::vector<T>& items) {
  std::vector<std::string> out;
  for (const T& item : items) out.push_back(item.name);
  return out;
}

// What nobody asks for by its name would stay without effect.
void check_name(const Fields& fields, Mark mark, const std::string& name,
                const std::vector<std::string>& names, const std::string& problem) {
  if (std::find(names.begin(), names.end(), name) == names.end())
    fields.issue(mark, problem + allowed(name, std::span<const std::string>(names)));
}

class ProfileReader {
 public:
  ProfileReader(const Value& root, Issues& issues) : root_(root, "", issues), issues_(issues) {}
  DeviceProfile read();

 private:
  // Calls read(fields, name) for each entry of the map at `section`; its keys are checked.
  template <std::size_t N, typename F>
  void each(std::string_view section, const std::array<std::string_view, N>& keys, F read);
  template <std::size_t N, typename F>
  void each_of_list(const ProfileFields& parent, std::string_view key, const std::string& owner,
                    const std::array<std::string_view, N>& keys, F read);
  void read_thermal();
  void read_links(const ProfileFields& thermal);
  void read_units();
  void read_backends();
  void read_modes(const ProfileFields& fields, BackendProfile& backend);
  void read_models();
  void read_node_costs();
  void read_sensors();
  void read_rest();
  void read_governor();
  void read_trips(const ProfileFields& governor);
  void check_network();
  void issue(Mark mark, std::string text) { issues_.push_back({mark, std::move(text)}); }

  ProfileFields root_;
  Issues& issues_;
  Mark thermal_mark_;
  DeviceProfile out_;
};

template <std::size_t N, typename F>
void ProfileReader::each(std::string_view section, const std::array<std::string_view, N>& keys, F read) {
  root_.fields().require(section, "a device has it");
  const Value* const map = root_.fields().map(section);
  if (!map) return;
  for (const Value::Entry& entry : *map->map()) {
    const std::string owner = fmt::format("{} '{}'", section, entry.key);
    if (!entry.value.map()) {
      issue(entry.value.mark, owner + " is " + describe(entry.value) + ", must be a map");
      continue;
    }
    const ProfileFields fields(entry.value, owner, issues_);
    fields.fields().only(keys);
    read(fields, entry.key);
  }
}

template <std::size_t N, typename F>
void ProfileReader::each_of_list(const ProfileFields& parent, std::string_view key, const std::string& owner,
                                 const std::array<std::string_view, N>& keys, F read) {
  for (const Value& item : parent.list(key)) {
    if (!item.map()) {
      issue(item.mark, owner + " is " + describe(item) + ", must be a map");
      continue;
    }
    const ProfileFields fields(item, owner, issues_);
    fields.fields().only(keys);
    read(fields);
  }
}

void ProfileReader::read_thermal() {
  constexpr std::array<std::string_view, 4> kKeys = {"label", "from", "nodes", "links"};
  root_.fields().require("thermal", "write its capacities under 'nodes' and what joins them under 'links'");
  const Value* const map = root_.fields().map("thermal");
  if (!map) return;
  const ProfileFields thermal(*map, "thermal", issues_);
  thermal.fields().only(kKeys);
  out_.thermal_origin = thermal.origin();
  if (const Value* const nodes = thermal.fields().map("nodes")) {
    thermal_mark_ = map->mark;
    for (const Value::Entry& entry : *nodes->map()) {
      const ProfileFields all(*nodes, "thermal", issues_);
      if (entry.key == "ambient") issue(entry.key_mark, "thermal: 'ambient' is the surroundings, no node");
      out_.nodes.push_back({entry.key, all.number(entry.key, {1e-3, 1e6, "J/K"}, 1)});
    }
  }
  if (out_.nodes.empty()) issue(map->mark, "thermal: 'nodes' is empty; a device has one at least");
  if (out_.nodes.size() > kMostNodes)
    issue(map->mark,
          fmt::format("thermal: {} nodes, at most {} are simulated", out_.nodes.size(), kMostNodes));
  read_links(thermal);
}

void ProfileReader::read_links(const ProfileFields& thermal) {
  constexpr std::array<std::string_view, 3> kKeys = {"a", "b", "k_per_w"};
  std::vector<std::string> names = names_of(out_.nodes);
  names.emplace_back("ambient");
  const int ambient = static_cast<int>(out_.nodes.size());
  each_of_list(thermal, "links", "thermal link", kKeys, [&](const ProfileFields& fields) {
    ThermalLink link;
    const int a = fields.one_of("a", names, "thermal nodes"), b = fields.one_of("b", names, "thermal nodes");
    link.a = a == ambient ? kAmbient : a;
    link.b = b == ambient ? kAmbient : b;
    link.k_per_w = fields.required("k_per_w", {1e-3, 1e6, "K/W"});
    if (a == b)
      fields.fields().issue(fields.fields().mark(), "it joins a node with itself");
    else
      out_.links.push_back(link);
  });
}

// Heat that cannot leave would rise for ever.
void ProfileReader::check_network() {
  std::vector<bool> cools(out_.nodes.size());
  for (bool changed = true; changed;) {
    changed = false;
    for (const ThermalLink& link : out_.links) {
      const bool a = link.a == kAmbient || cools[static_cast<std::size_t>(link.a)];
      const bool b = link.b == kAmbient || cools[static_cast<std::size_t>(link.b)];
      if (a == b) continue;
      cools[static_cast<std::size_t>(a ? link.b : link.a)] = changed = true;
    }
  }
  for (std::size_t n = 0; n < cools.size(); ++n) {
    if (!cools[n])
      issue(thermal_mark_, fmt::format("thermal: node '{}' has no way to 'ambient'; its heat could not leave",
                                       out_.nodes[n].name));
  }
}

void ProfileReader::read_units() {
  constexpr std::array<std::string_view, 9> kKeys = {"label",    "from",   "role",      "node",   "idle_w",
                                                     "active_w", "queues", "min_speed", "max_mhz"};
  const std::vector<std::string> roles = {"npu", "gpu", "cpu"}, nodes = names_of(out_.nodes);
  each("units", kKeys, [&](const ProfileFields& fields, const std::string& name) {
    UnitProfile unit;
    unit.name = name;
    unit.role = static_cast<UnitRole>(fields.one_of("role", roles, "roles"));
    unit.node = fields.one_of("node", nodes, "thermal nodes");
    unit.idle_w = fields.number("idle_w", kWatts, 0);
    unit.active_w = fields.required("active_w", kWatts);
    unit.queues = fields.whole("queues", 1, 256, 1);
    unit.min_speed = fields.number("min_speed", {0.01, 1, "share"}, 0.1);
    unit.max_mhz = fields.number("max_mhz", {0, 20'000, "MHz"}, 0);
    unit.origin = fields.origin();
    if (unit.active_w < unit.idle_w)
      fields.fields().issue(fields.fields().mark(), "'active_w' is below 'idle_w'");
    out_.units.push_back(std::move(unit));
  });
  if (!out_.unit(UnitRole::kCpu))
    issue(root_.fields().mark(), "units: none has role 'cpu', which runs the nodes");
}

void ProfileReader::read_backends() {
  constexpr std::array<std::string_view, 8> kKeys = {"label",       "from",    "unit",   "overhead_ms",
                                                     "gmacs_per_s", "base_ms", "jitter", "modes"};
  const std::vector<std::string> units = names_of(out_.units);
  each("backends", kKeys, [&](const ProfileFields& fields, const std::string& name) {
    check_name(fields.fields(), fields.fields().mark(), name, backend_names(), "it is no backend");
    BackendProfile backend;
    backend.name = name;
    backend.unit = fields.one_of("unit", units, "units");
    backend.overhead_ms = fields.number("overhead_ms", kMillis, 0);
    backend.gmacs_per_s = fields.number("gmacs_per_s", {0, 1e6, "10^9 MAC/s"}, 0);
    backend.base_ms = fields.number("base_ms", kMillis, 0);
    backend.jitter = fields.number("jitter", {0, 0.9, "share"}, 0);
    backend.origin = fields.origin();
    read_modes(fields, backend);
    out_.backends.push_back(std::move(backend));
  });
}

void ProfileReader::read_modes(const ProfileFields& fields, BackendProfile& backend) {
  const Value* const modes = fields.fields().map("modes");
  if (!modes) return;
  const ProfileFields speeds(*modes, fmt::format("backends '{}': modes", backend.name), issues_);
  // `auto` is the selector's to resolve, and no clock.
  std::vector<std::string> names = htp_performance_modes();
  std::erase(names, "auto");
  for (const Value::Entry& mode : *modes->map()) {
    check_name(speeds.fields(), mode.key_mark, mode.key, names, in_quotes(mode.key) + " is no mode");
    backend.modes.push_back({mode.key, speeds.number(mode.key, {0.01, 1, "share of the full clock"}, 1)});
  }
}

void ProfileReader::read_models() {
  constexpr std::array<std::string_view, 5> kKeys = {"label", "from", "files", "backend", "latency_ms"};
  const std::vector<std::string> backends = names_of(out_.backends);
  if (backends.empty()) return;
  each_of_list(root_, "models", "model", kKeys, [&](const ProfileFields& fields) {
    ModelProfile model;
    for (const Value& file : fields.list("files")) {
      if (file.text())
        model.files.push_back(*file.text());
      else
        fields.fields().issue(file.mark, "'files' has " + describe(file) + ", must be file names");
    }
    if (model.files.empty())
      fields.fields().issue(fields.fields().mark(), "'files' is empty; name model files without extension");
    model.backend = backends[static_cast<std::size_t>(fields.one_of("backend", backends, "backends"))];
    model.latency_ms = fields.required("latency_ms", {1e-4, kMillis.high, "ms"});
    model.origin = fields.origin();
    out_.models.push_back(std::move(model));
  });
}

void ProfileReader::read_node_costs() {
  constexpr std::array<std::string_view, 3> kKeys = {"label", "from", "ms"};
  each("nodes", kKeys, [&](const ProfileFields& fields, const std::string& type) {
    out_.node_costs.push_back({type, fields.required("ms", kMillis), fields.origin()});
  });
}

void ProfileReader::read_sensors() {
  constexpr std::array<std::string_view, 4> kKeys = {"node", "noise_c", "step_c", "lag_s"};
  const std::vector<std::string> roles = {"npu", "gpu", "cpu", "skin", "battery"},
                                 nodes = names_of(out_.nodes);
  each("sensors", kKeys, [&](const ProfileFields& fields, const std::string& name) {
    const auto role = std::find(roles.begin(), roles.end(), name);
    if (role == roles.end()) {
      fields.fields().issue(fields.fields().mark(),
                            "it is no role" + allowed(name, std::span<const std::string>(roles)));
      return;
    }
    SensorProfile sensor;
    sensor.role = static_cast<HeatRole>(role - roles.begin());
    sensor.node = fields.one_of("node", nodes, "thermal nodes");
    sensor.noise_c = fields.number("noise_c", {0, 20, "K"}, 0);
    sensor.step_c = fields.number("step_c", {0, 20, "K"}, 0);
    sensor.lag_s = fields.number("lag_s", kSeconds, 0);
    out_.sensors.push_back(sensor);
  });
}

void ProfileReader::read_rest() {
  constexpr std::array<std::string_view, 4> kKeys = {"label", "from", "watts", "node"};
  const Value* const map = root_.fields().map("rest");
  if (!map) return;
  const ProfileFields rest(*map, "rest", issues_);
  rest.fields().only(kKeys);
  out_.rest_w = rest.required("watts", kWatts);
  out_.rest_node = rest.one_of("node", names_of(out_.nodes), "thermal nodes");
  static_cast<void>(rest.origin());
}

void ProfileReader::read_governor() {
  constexpr std::array<std::string_view, 3> kKinds = {"none", "step", "ipa"};
  constexpr std::array<std::string_view, 10> kKeys = {
      "label",         "from", "kind", "period_s", "trips",
      "sustainable_w", "k_po", "k_pu", "k_i",      "switch_on_below_c"};
  const Value* const map = root_.fields().map("governor");
  if (!map) return;
  const ProfileFields fields(*map, "governor", issues_);
  fields.fields().only(kKeys);
  fields.fields().require("kind", "write none, step or ipa");
  const std::string kind = fields.fields().choice("kind", kKinds).value_or("none");
  GovernorProfile& g = out_.governor;
  g.kind = kind == "step" ? GovernorKind::kStep : kind == "ipa" ? GovernorKind::kIpa : GovernorKind::kNone;
  g.period_s = fields.number("period_s", {0.1, 60, "s"}, 1);
  g.origin = fields.origin();
  if (g.kind == GovernorKind::kIpa) {
    g.sustainable_w = fields.required("sustainable_w", kWatts);
    g.k_po = fields.number("k_po", {0, 1000, "W/K"}, 0.2);
    g.k_pu = fields.number("k_pu", {0, 1000, "W/K"}, 0.4);
    g.k_i = fields.number("k_i", {0, 1000, "W/(K s)"}, 0.01);
    g.switch_on_below_c = fields.number("switch_on_below_c", kKelvin, 10);
  }
  read_trips(fields);
}

void ProfileReader::read_trips(const ProfileFields& governor) {
  constexpr std::array<std::string_view, 5> kKeys = {"node", "limit_c", "hysteresis_c", "step", "slows"};
  const std::vector<std::string> nodes = names_of(out_.nodes), units = names_of(out_.units);
  each_of_list(governor, "trips", "governor: trip", kKeys, [&](const ProfileFields& fields) {
    TripProfile trip;
    trip.node = fields.one_of("node", nodes, "thermal nodes");
    trip.limit_c = fields.required("limit_c", kCelsius);
    trip.hysteresis_c = fields.number("hysteresis_c", kKelvin, 2);
    trip.step = fields.number("step", {0.001, 1, "share"}, 0.05);
    for (const Value& unit : fields.list("slows"))
      trip.slows.push_back(fields.one_of(unit, "slows", units, "units"));
    if (trip.slows.empty()) fields.fields().issue(fields.fields().mark(), "'slows' names no unit");
    out_.governor.trips.push_back(std::move(trip));
  });
}

DeviceProfile ProfileReader::read() {
  constexpr std::array<std::string_view, 13> kKeys = {
      "version",  "name",   "about", "ambient_c", "thermal",  "units",      "rest",
      "backends", "models", "nodes", "sensors",   "governor", "power_noise"};
  root_.fields().only(kKeys);
  root_.fields().require("version", "write 'version: 1'");
  root_.whole("version", 1, 1, 1);
  out_.name = root_.required_text("name");
  out_.about = root_.fields().text("about").value_or("");
  out_.ambient_c = root_.number("ambient_c", {-50, 100, "degrees C"}, 25);
  out_.power_noise = root_.number("power_noise", kShare, 0);
  read_thermal();
  if (out_.nodes.empty()) return {};  // said; everything else refers to them
  read_units();
  read_rest();
  read_backends();
  read_models();
  read_node_costs();
  read_sensors();
  read_governor();
  check_network();
  return std::move(out_);
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return invalid(fmt::format("{}: cannot be read", path));
  std::string text((std::istreambuf_iterator<char>(in)), {});
  if (text.size() > kMostBytes)
    return invalid(fmt::format("{}: {} bytes, a profile has at most {}", path, text.size(), kMostBytes));
  return text;
}

// A value that could not be read is no text that stands in a wrong place: the first `said` errors are enough.
void drop_followers(Issues& issues, std::size_t said) {
  const auto first = issues.begin(), read = first + static_cast<std::ptrdiff_t>(said);
  const auto follows = [&](const Issue& issue) {
    return std::any_of(first, read, [&](const Issue& cause) {
      return cause.mark.line == issue.mark.line && cause.mark.column == issue.mark.column;
    });
  };
  issues.erase(std::remove_if(read, issues.end(), follows), issues.end());
}

}  // namespace

Status ParsedProfile::status() const {
  std::string message;
  for (const Issue& issue : issues) {
    if (!issue.warning) message += (message.empty() ? "" : "\n") + format(file, issue);
  }
  return message.empty() ? Status{} : invalid(message);
}

ParsedProfile parse_profile(std::string_view text, std::string file) {
  ParsedProfile out;
  out.file = std::move(file);
  YamlResult yaml = read_yaml(text, nullptr);
  out.issues = std::move(yaml.issues);
  if (!yaml.value) {
    if (out.status().ok()) out.issues.push_back({{}, "the file is empty; a profile is a map"});
    return out;
  }
  if (!yaml.value->map()) {
    out.issues.push_back({yaml.value->mark, "a profile is a map, this is " + describe(*yaml.value)});
    return out;
  }
  const std::size_t said = out.issues.size();
  DeviceProfile profile = ProfileReader(*yaml.value, out.issues).read();
  drop_followers(out.issues, said);
  if (out.status().ok() && profile.nodes.empty())
    out.issues.push_back({yaml.value->mark, "thermal: nodes: there are none"});
  if (out.status().ok()) out.profile = std::move(profile);
  return out;
}

Result<DeviceProfile> load_profile(const std::string& name_or_path) {
  std::string text(shipped_profile(name_or_path));
  std::string file = "profile " + name_or_path;
  if (text.empty()) {
    const bool path = name_or_path.find_first_of("/.") != std::string::npos;
    const std::vector<std::string> names = shipped_profiles();
    if (!path)
      return invalid(fmt::format("there is no profile '{}'{}", name_or_path,
                                 allowed(name_or_path, std::span<const std::string>(names))));
    SLUICE_ASSIGN(text, read_file(name_or_path));
    file = name_or_path;
  }
  ParsedProfile parsed = parse_profile(text, file);
  SLUICE_RETURN_IF_ERROR(parsed.status().with_context("the profile of the device has errors:\n"));
  return std::move(*parsed.profile);
}

}  // namespace sluice
