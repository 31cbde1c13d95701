// Small dense least squares: linear, and Levenberg-Marquardt with differences for derivatives.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

namespace sluice {

struct LeastSquares {
  std::vector<double> x;
  std::vector<double> sigma;  // of each x, from the residuals' variance
  double rms = 0;
  bool ok = false;  // false: the data do not determine x
};

// Minimises |A x - b| over rows of A; each row has as many values as x.
LeastSquares solve_linear(const std::vector<std::vector<double>>& rows, const std::vector<double>& b);

// Minimises |r(x)| from `start`. `steps`: for the derivatives, and the scale of each x. `measured`: how many
// of the residuals stand for a measurement; the others are always 0, and tell nothing of the variance.
using Residuals = std::function<void(const std::vector<double>& x, std::vector<double>& r)>;
LeastSquares minimise(const Residuals& residuals, std::vector<double> start, const std::vector<double>& steps,
                      int iterations, std::size_t measured);

// How x of a minimum moves when its residuals change by `change`, to the first order.
std::vector<double> response(const Residuals& residuals, const std::vector<double>& x,
                             const std::vector<double>& steps, const std::vector<double>& change);

}  // namespace sluice
