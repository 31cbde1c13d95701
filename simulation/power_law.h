// Power against speed: f^2.5 (facts: "power about f^2.5", an assumption), with square roots alone.
#pragma once

#include <cmath>

namespace sluice {

inline double power_share(double speed) { return speed * speed * std::sqrt(speed); }

// The speed that draws this share of full power: share^0.4, by bisection (2^-40 of the range).
inline double speed_for(double share) {
  double low = 0, high = 1;
  if (share >= 1) return 1;
  for (int i = 0; i < 40; ++i) {
    const double middle = (low + high) / 2;
    (power_share(middle) < share ? low : high) = middle;
  }
  return low;
}

}  // namespace sluice
