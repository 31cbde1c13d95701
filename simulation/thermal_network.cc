#include "simulation/thermal_network.h"

namespace sluice {

ThermalNetwork::ThermalNetwork(const std::vector<ThermalNode>& nodes, const std::vector<ThermalLink>& links,
                               double ambient_c, double step_s)
    : n_(nodes.size()),
      step_s_(step_s),
      ambient_c_(ambient_c),
      to_ambient_(n_),
      conductance_(n_ * n_),
      temperatures_(n_, ambient_c) {
  for (const ThermalNode& node : nodes) capacity_over_step_.push_back(node.heat_j_per_k / step_s);
  for (const ThermalLink& link : links) {
    const double g = 1 / link.k_per_w;
    const auto a = static_cast<std::size_t>(link.a), b = static_cast<std::size_t>(link.b);
    if (link.a != kAmbient) conductance_[a * n_ + a] += g;
    if (link.b != kAmbient) conductance_[b * n_ + b] += g;
    if (link.a == kAmbient) {
      to_ambient_[b] += g;
    } else if (link.b == kAmbient) {
      to_ambient_[a] += g;
    } else {
      conductance_[a * n_ + b] -= g;
      conductance_[b * n_ + a] -= g;
    }
  }
  factors_ = conductance_;
  for (std::size_t i = 0; i < n_; ++i) factors_[i * n_ + i] += capacity_over_step_[i];
  factor(factors_, n_);
}

// LU without pivots: the matrix is symmetric and diagonally dominant.
void ThermalNetwork::factor(Matrix& m, std::size_t n) {
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t i = k + 1; i < n; ++i) {
      const double ratio = m[i * n + k] / m[k * n + k];
      m[i * n + k] = ratio;
      for (std::size_t j = k + 1; j < n; ++j) m[i * n + j] -= ratio * m[k * n + j];
    }
  }
}

void ThermalNetwork::solve(const Matrix& m, std::span<double> x) {
  const std::size_t n = x.size();
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < i; ++j) x[i] -= m[i * n + j] * x[j];
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t j = i + 1; j < n; ++j) x[i] -= m[i * n + j] * x[j];
    x[i] /= m[i * n + i];
  }
}

void ThermalNetwork::step(std::span<const double> power_w) {
  for (std::size_t i = 0; i < n_; ++i) {
    temperatures_[i] = capacity_over_step_[i] * temperatures_[i] + power_w[i] + to_ambient_[i] * ambient_c_;
  }
  solve(factors_, temperatures_);
}

void ThermalNetwork::set_temperatures(std::span<const double> celsius) {
  temperatures_.assign(celsius.begin(), celsius.end());
}

std::vector<double> ThermalNetwork::steady(std::span<const double> power_w) const {
  Matrix factors = conductance_;
  factor(factors, n_);
  std::vector<double> out(n_);
  for (std::size_t i = 0; i < n_; ++i) out[i] = power_w[i] + to_ambient_[i] * ambient_c_;
  solve(factors, out);
  return out;
}

}  // namespace sluice
