#include "inference/selector/thermal_predictor.h"

#include <algorithm>
#include <cmath>

#include "inference/selector/approach.h"

namespace sluice {
namespace {

// Time constants of the bank, in seconds. Dies take 4 to 30 s with their sensor's lag, cases minutes.
constexpr std::array<double, 3> kFastTau = {4, 10, 25};
constexpr std::array<double, 2> kSlowTau = {120, 450};

// Priors [assumed], in K per W and their spreads.
constexpr double kOwnFast = 6, kOwnFastSpread = 4;
constexpr double kOtherFast = 0.5, kOtherFastSpread = 1.5;
constexpr double kHiddenFast = 2, kHiddenFastSpread = 3;  // a unit without a sensor: on this die or another
constexpr double kSkinFast = 0, kSkinFastSpread = 0.2;
constexpr double kSlowGain = 4, kSlowSpread = 2.5;
constexpr double kLeastSlowGain = 1.5;
constexpr double kSlowShared = 0.6;  // correlation between units: the case takes heat from all alike
constexpr double kInitialSpread = 8;
constexpr double kBaseSpread = 2;
// Drift per square root of a second: ambient and other loads move the baseline, the gains hardly.
constexpr double kBaseDrift = 0.03;
constexpr double kGainDrift = 0.003;
constexpr double kSensorNoise = 0.7;  // K: noise, rounding and lag
constexpr double kLongestLag = 4;     // s
constexpr double kLagNoise = 4;       // K, of a sensor that shows the load before
constexpr double kErrorMemory = 60;   // s
constexpr double kBiasMemory = 4;     // s

constexpr std::size_t kBase = 0, kInitial = 1, kFastAt = 2, kSlowAt = kFastAt + kUnitRoles;

}  // namespace

ThermalPredictor::ThermalPredictor() { decay_.fill(1); }

void ThermalPredictor::start(std::size_t sensor, const Readings& readings) {
  const double temperature = *readings.temperature_c[sensor].value;
  Sensor& s = sensors_[sensor];
  s.seen = true;
  const bool skin = sensor == static_cast<std::size_t>(HeatVariable::kSkin);
  for (Member& member : s.members) {
    member = {};
    member.mean[kBase] = temperature;
    member.covariance[kBase][kBase] = kBaseSpread * kBaseSpread;
    member.covariance[kInitial][kInitial] = kInitialSpread * kInitialSpread;
    for (std::size_t u = 0; u < kUnitRoles; ++u) {
      const bool own = u == sensor;
      const bool apart = readings.temperature_c[u].value.has_value();  // has a sensor of its own
      const double fast = skin ? kSkinFast : own ? kOwnFast : apart ? kOtherFast : kHiddenFast;
      const double spread = skin    ? kSkinFastSpread
                            : own   ? kOwnFastSpread
                            : apart ? kOtherFastSpread
                                    : kHiddenFastSpread;
      member.mean[kFastAt + u] = fast;
      member.covariance[kFastAt + u][kFastAt + u] = spread * spread;
      member.mean[kSlowAt + u] = kSlowGain;
      for (std::size_t v = 0; v < kUnitRoles; ++v)
        member.covariance[kSlowAt + u][kSlowAt + v] = kSlowSpread * kSlowSpread * (u == v ? 1 : kSlowShared);
    }
  }
}

ThermalPredictor::Vector ThermalPredictor::row_of(std::size_t member) const {
  Vector row{};
  const std::size_t fast = member / kSlow, slow = member % kSlow;
  row[kBase] = 1;
  row[kInitial] = decay_[slow];
  for (std::size_t u = 0; u < kUnitRoles; ++u) {
    row[kFastAt + u] = fast_[fast][u];
    row[kSlowAt + u] = slow_[slow][u];
  }
  return row;
}

// A sensor that lags still shows the heat of the unit that ran before: not to be learned as the next one's.
double ThermalPredictor::noise() const {
  const double late = std::max(0.0, 1 - loaded_for_ / kLongestLag) * kLagNoise;
  return kSensorNoise * kSensorNoise + late * late;
}

// Moves a parameter up to `least` and the others with it, as their covariance says: clamping it alone would
// spoil what the readings say of their sum, until the model runs away. By the row of the parameter, which is
// its column too: GCC 12 at -O1 and -O2 without -fPIC compiles a walk down the column to one that does
// nothing.
void ThermalPredictor::raise(Member& member, std::size_t parameter, double least) {
  const double missing = least - member.mean[parameter], own = member.covariance[parameter][parameter];
  if (missing <= 0 || own <= 0) return;
  for (std::size_t i = 0; i < kParameters; ++i)
    member.mean[i] += member.covariance[parameter][i] / own * missing;
}

// Returns the error before the update.
double ThermalPredictor::update_member(Member& member, const Vector& row, double temperature, double dt_s) {
  Vector gain{};
  double expected = 0, variance = noise();
  member.covariance[kBase][kBase] += kBaseDrift * kBaseDrift * dt_s;
  for (std::size_t i = kFastAt; i < kParameters; ++i)
    member.covariance[i][i] += kGainDrift * kGainDrift * dt_s;
  for (std::size_t i = 0; i < kParameters; ++i) {
    expected += row[i] * member.mean[i];
    for (std::size_t j = 0; j < kParameters; ++j) gain[i] += member.covariance[i][j] * row[j];
    variance += row[i] * gain[i];
  }
  const double error = temperature - expected;
  for (std::size_t i = 0; i < kParameters; ++i) {
    member.mean[i] += gain[i] / variance * error;
    for (std::size_t j = 0; j < kParameters; ++j) member.covariance[i][j] -= gain[i] * gain[j] / variance;
  }
  member.error = approach(member.error, error * error, dt_s, kErrorMemory);
  for (std::size_t u = 0; u < kUnitRoles; ++u) {  // heat never cools, and all of it reaches the case
    raise(member, kFastAt + u, 0);
    raise(member, kSlowAt + u, kLeastSlowGain);
  }
  return error;
}

void ThermalPredictor::update(std::size_t sensor, double temperature, double dt_s) {
  Sensor& s = sensors_[sensor];
  std::array<double, kMembers> errors{};
  for (std::size_t m = 0; m < kMembers; ++m)
    errors[m] = update_member(s.members[m], row_of(m), temperature, dt_s);
  const std::size_t best = best_member(sensor);
  const Vector row = row_of(best);
  double fitted = 0;
  for (std::size_t i = 0; i < kParameters; ++i) fitted += row[i] * s.members[best].mean[i];
  s.bias = approach(s.bias, temperature - fitted, dt_s, kBiasMemory);
  s.shown = fitted + s.bias;
}

void ThermalPredictor::observe(double dt_s, HeatLoad load, const Readings& readings) {
  const auto active = static_cast<std::size_t>(load.unit);
  loaded_for_ = load.unit == loaded_ ? loaded_for_ + dt_s : 0;
  loaded_ = load.unit;
  for (std::size_t u = 0; u < kUnitRoles; ++u) {
    const double watts = u == active ? load.watts : 0;
    for (std::size_t f = 0; f < kFast; ++f) fast_[f][u] = approach(fast_[f][u], watts, dt_s, kFastTau[f]);
    for (std::size_t s = 0; s < kSlow; ++s) slow_[s][u] = approach(slow_[s][u], watts, dt_s, kSlowTau[s]);
  }
  for (std::size_t s = 0; s < kSlow; ++s) decay_[s] = approach(decay_[s], 0, dt_s, kSlowTau[s]);
  for (std::size_t s = 0; s < kSensors; ++s) {
    const Reading& reading = readings.temperature_c[s];
    sensors_[s].fresh = reading.value.has_value();
    if (!reading.value) continue;
    if (!sensors_[s].seen) start(s, readings);
    update(s, *reading.value, dt_s);
  }
}

std::size_t ThermalPredictor::best_member(std::size_t sensor) const {
  const auto& members = sensors_[sensor].members;
  return static_cast<std::size_t>(
      std::min_element(members.begin(), members.end(),
                       [](const Member& a, const Member& b) { return a.error < b.error; }) -
      members.begin());
}

std::size_t ThermalPredictor::body_sensor() const {
  for (std::size_t s = 0; s < kSensors - 1; ++s)
    if (sensors_[s].seen && sensors_[s].fresh) return s;
  return kSensors;
}

bool ThermalPredictor::sees(HeatVariable variable) const {
  if (variable == HeatVariable::kBody) return body_sensor() < kSensors;
  const Sensor& sensor = sensors_[static_cast<std::size_t>(variable)];
  return sensor.seen && sensor.fresh;
}

bool ThermalPredictor::sees_any() const { return body_sensor() < kSensors || sees(HeatVariable::kSkin); }

HeatValues ThermalPredictor::now() const {
  HeatValues out{};
  for (std::size_t s = 0; s < kSensors; ++s)
    if (sensors_[s].seen) out[s] = sensors_[s].shown;
  if (sees(HeatVariable::kBody)) {
    std::array<bool, kHeatVariables> body{};
    body[static_cast<std::size_t>(HeatVariable::kBody)] = true;
    out[static_cast<std::size_t>(HeatVariable::kBody)] = begin(body).value(HeatVariable::kBody);
  }
  return out;
}

double ThermalPredictor::spread(HeatVariable variable) const {
  const std::size_t sensor =
      variable == HeatVariable::kBody ? body_sensor() : static_cast<std::size_t>(variable);
  if (sensor >= kSensors || !sensors_[sensor].seen) return 0;
  return std::sqrt(sensors_[sensor].members[best_member(sensor)].error);
}

ThermalPredictor::Path ThermalPredictor::begin(const std::array<bool, kHeatVariables>& wanted) const {
  Path path;
  if (wanted[static_cast<std::size_t>(HeatVariable::kBody)]) path.body_ = body_sensor();
  for (std::size_t s = 0; s < kSensors; ++s) {
    if (!sensors_[s].seen || !(wanted[s] || s == path.body_)) continue;
    const std::size_t best = best_member(s);
    const Vector& mean = sensors_[s].members[best].mean;
    Path::Track& track = path.tracks_[s];
    track.used = true;
    track.tau_fast = kFastTau[best / kSlow];
    track.tau_slow = kSlowTau[best % kSlow];
    track.base = mean[kBase];
    track.initial = mean[kInitial];
    track.decay = decay_[best % kSlow];
    track.bias = sensors_[s].bias;
    track.covariance = &sensors_[s].members[best].covariance;
    track.fast = fast_[best / kSlow];
    track.slow = slow_[best % kSlow];
    track.fast_gain = {mean[kFastAt], mean[kFastAt + 1], mean[kFastAt + 2]};
    track.slow_gain = {mean[kSlowAt], mean[kSlowAt + 1], mean[kSlowAt + 2]};
  }
  return path;
}

void ThermalPredictor::Path::advance(double dt_s, HeatLoad load) {
  const auto active = static_cast<std::size_t>(load.unit);
  for (Track& track : tracks_) {
    if (!track.used) continue;
    const double fast = dt_s / (track.tau_fast + dt_s), slow = dt_s / (track.tau_slow + dt_s);
    track.decay -= track.decay * slow;
    for (std::size_t u = 0; u < kUnitRoles; ++u) {
      const double watts = u == active ? load.watts : 0;
      track.fast[u] += (watts - track.fast[u]) * fast;
      track.slow[u] += (watts - track.slow[u]) * slow;
    }
  }
}

double ThermalPredictor::Path::deviation(HeatVariable variable) const {
  const auto sensor = static_cast<std::size_t>(variable);
  if (sensor >= kSensors || !tracks_[sensor].used) return 0;
  const Track& track = tracks_[sensor];
  Vector row{};
  row[kBase] = 1;
  row[kInitial] = track.decay;
  for (std::size_t u = 0; u < kUnitRoles; ++u) {
    row[kFastAt + u] = track.fast[u];
    row[kSlowAt + u] = track.slow[u];
  }
  double variance = 0;
  for (std::size_t i = 0; i < kParameters; ++i)
    for (std::size_t j = 0; j < kParameters; ++j) variance += row[i] * (*track.covariance)[i][j] * row[j];
  return std::sqrt(std::max(0.0, variance));
}

double ThermalPredictor::Path::value(HeatVariable variable) const {
  const bool body = variable == HeatVariable::kBody;
  const std::size_t sensor = body ? body_ : static_cast<std::size_t>(variable);
  if (sensor >= kSensors || !tracks_[sensor].used) return 0;
  const Track& track = tracks_[sensor];
  double value = track.base + track.initial * track.decay + track.bias;
  for (std::size_t u = 0; u < kUnitRoles; ++u)
    value += track.slow_gain[u] * track.slow[u] + (body ? 0 : track.fast_gain[u] * track.fast[u]);
  return value;
}

}  // namespace sluice
