// Temperatures of an RC network of any size, stepped in time.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "simulation/profile.h"

namespace sluice {

// Backward Euler: (C/dt + G) T' = C/dt T + P + g_ambient T_ambient. Stable at any step; the factors of the
// matrix are made once, so a step is two triangular solves. Only + - x and / are used.
class ThermalNetwork {
 public:
  // `nodes` and `links` are checked (profile_reader.h). All nodes start at `ambient_c`.
  ThermalNetwork(const std::vector<ThermalNode>& nodes, const std::vector<ThermalLink>& links,
                 double ambient_c, double step_s);

  // One step with this heat (W) into each node.
  void step(std::span<const double> power_w);
  void set_ambient(double celsius) { ambient_c_ = celsius; }
  double ambient_c() const { return ambient_c_; }
  double step_s() const { return step_s_; }
  double temperature(int node) const { return temperatures_[static_cast<std::size_t>(node)]; }
  std::span<const double> temperatures() const { return temperatures_; }
  void set_temperatures(std::span<const double> celsius);
  // Where they end under constant heat.
  std::vector<double> steady(std::span<const double> power_w) const;

 private:
  using Matrix = std::vector<double>;  // row by row
  static void factor(Matrix& matrix, std::size_t n);
  static void solve(const Matrix& factors, std::span<double> x);

  std::size_t n_;
  double step_s_;
  double ambient_c_;
  std::vector<double> capacity_over_step_;
  std::vector<double> to_ambient_;  // conductance, W/K
  Matrix conductance_;
  Matrix factors_;
  std::vector<double> temperatures_;
};

}  // namespace sluice
