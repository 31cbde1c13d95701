// A small model of how the device warms, learned while it runs: what each sensor will show under another
// load.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "inference/telemetry/readings.h"

namespace sluice {

// Heat that one unit makes. Watts where energy is known; else in the same relative unit for all candidates:
// the predictor learns degrees per unit of it, so only ratios matter.
struct HeatLoad {
  UnitRole unit = UnitRole::kCpu;
  double watts = 0;
};

// What can trip a governor: the four sensors' temperatures, and the slow part of a die's (the first of npu,
// gpu and cpu that is read), which follows the case where no skin sensor exists.
enum class HeatVariable : std::uint8_t { kNpu, kGpu, kCpu, kSkin, kBody };
constexpr std::size_t kHeatVariables = 5;
using HeatValues = std::array<double, kHeatVariables>;

// Each sensor is a baseline plus a fast and a slow first-order rise per unit (facts: die seconds, case
// minutes). A bank of such models with different time constants runs beside each other; each estimates its
// gains by a Kalman filter from priors of ours [assumed: 6 K/W fast on a unit's own die, 4 K/W slow], and the
// one that has predicted best of late is used. Sensor lag goes into the fast constant. Only + - * / and
// square roots: the same on every machine. No allocation. Copyable: a pure value.
class ThermalPredictor {
 public:
  static constexpr std::size_t kSensors = 4;  // npu, gpu, cpu, skin
  static constexpr std::size_t kParameters = 2 + 2 * kUnitRoles;
  using Vector = std::array<double, kParameters>;
  using Covariance = std::array<Vector, kParameters>;

  ThermalPredictor();

  // `load` was drawn for `dt_s` until readings.at.
  void observe(double dt_s, HeatLoad load, const Readings& readings);

  // True once the sensor (kBody: any die sensor) has been read and is still believed.
  bool sees(HeatVariable variable) const;
  bool sees_any() const;
  // The newest filtered values; unseen ones are 0.
  HeatValues now() const;
  // How far measurements stray from the model, in K (standard deviation) at the given sensor.
  double spread(HeatVariable variable) const;

  // A trajectory into the future; starts at the present.
  class Path {
   public:
    // `load` is drawn for `dt_s`.
    void advance(double dt_s, HeatLoad load);
    double value(HeatVariable variable) const;
    // Standard deviation of that for what is not known of the gains yet, in K; 0 for kBody.
    double deviation(HeatVariable variable) const;

   private:
    friend class ThermalPredictor;
    struct Track {
      bool used = false;
      double tau_fast = 1, tau_slow = 1;
      double base = 0, initial = 0, decay = 0, bias = 0;
      std::array<double, kUnitRoles> fast_gain{}, slow_gain{}, fast{}, slow{};
      const Covariance* covariance = nullptr;  // the predictor's: a path does not outlive it
    };
    std::array<Track, kSensors> tracks_;
    std::size_t body_ = kSensors;  // the sensor whose slow part stands for the body
  };
  // Only the sensors that `wanted` asks for (kBody included) are carried.
  Path begin(const std::array<bool, kHeatVariables>& wanted) const;

 private:
  static constexpr std::size_t kFast = 3, kSlow = 2;
  static constexpr std::size_t kMembers = kFast * kSlow;

  // One model of one sensor.
  struct Member {
    Vector mean{};
    Covariance covariance{};
    double error = 1;  // mean square of its one-step errors, fading
  };
  struct Sensor {
    bool seen = false;
    bool fresh = false;
    double bias = 0;
    double shown = 0;
    std::array<Member, kMembers> members;
  };

  void start(std::size_t sensor, const Readings& readings);
  void update(std::size_t sensor, double temperature, double dt_s);
  static void raise(Member& member, std::size_t parameter, double least);
  double noise() const;  // variance of a reading
  double update_member(Member& member, const Vector& row, double temperature, double dt_s);
  Vector row_of(std::size_t member) const;
  std::size_t best_member(std::size_t sensor) const;
  std::size_t body_sensor() const;

  std::array<std::array<double, kUnitRoles>, kFast> fast_{};
  std::array<std::array<double, kUnitRoles>, kSlow> slow_{};
  std::array<double, kSlow> decay_{};
  std::array<Sensor, kSensors> sensors_;
  UnitRole loaded_ = UnitRole::kCpu;
  double loaded_for_ = 0;  // s since another unit was
};

}  // namespace sluice
