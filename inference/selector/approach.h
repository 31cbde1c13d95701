// Private to the selector: how its averages follow what they are told.
#pragma once

namespace sluice {

// First-order approach by implicit Euler: stable for every step, no exponential.
inline double approach(double value, double target, double dt, double tau) {
  return value + (target - value) * dt / (tau + dt);
}

}  // namespace sluice
