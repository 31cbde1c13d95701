#include "simulation/least_squares.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace sluice {
namespace {

using Matrix = std::vector<std::vector<double>>;

// Inverse of a symmetric positive definite matrix by Cholesky; false when it is not.
bool invert(const Matrix& a, Matrix& out) {
  const std::size_t n = a.size();
  Matrix l(n, std::vector<double>(n));
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = a[i][j];
      for (std::size_t k = 0; k < j; ++k) sum -= l[i][k] * l[j][k];
      if (i == j && !(sum > 1e-14 * std::abs(a[i][i]))) return false;
      l[i][j] = i == j ? std::sqrt(sum) : sum / l[j][j];
    }
  }
  out.assign(n, std::vector<double>(n));
  for (std::size_t c = 0; c < n; ++c) {
    std::vector<double> x(n);
    x[c] = 1;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t k = 0; k < i; ++k) x[i] -= l[i][k] * x[k];
      x[i] /= l[i][i];
    }
    for (std::size_t i = n; i-- > 0;) {
      for (std::size_t k = i + 1; k < n; ++k) x[i] -= l[k][i] * x[k];
      x[i] /= l[i][i];
    }
    for (std::size_t i = 0; i < n; ++i) out[i][c] = x[i];
  }
  return true;
}

double square_sum(const std::vector<double>& r) {
  double out = 0;
  for (const double v : r) out += v * v;
  return out;
}

void finish(const Matrix& inverse, double squares, std::size_t rows, LeastSquares& out) {
  const std::size_t n = out.x.size();
  const double variance = squares / static_cast<double>(std::max<std::size_t>(1, rows - std::min(rows, n)));
  out.rms = std::sqrt(squares / static_cast<double>(std::max<std::size_t>(1, rows)));
  for (std::size_t i = 0; i < n; ++i) out.sigma.push_back(std::sqrt(std::max(0.0, inverse[i][i] * variance)));
  out.ok = true;
}

// J^T J and J^T b by differences around x, where the residuals are r.
void normal_equations(const Residuals& residuals, const std::vector<double>& x,
                      const std::vector<double>& steps, const std::vector<double>& r,
                      const std::vector<double>& b, Matrix& jtj, std::vector<double>& jtr) {
  const std::size_t n = x.size();
  Matrix columns(n);
  std::vector<double> moved(r.size());
  for (std::size_t i = 0; i < n; ++i) {
    std::vector<double> at = x;
    at[i] += steps[i];
    residuals(at, moved);
    columns[i].resize(r.size());
    for (std::size_t k = 0; k < r.size(); ++k) columns[i][k] = (moved[k] - r[k]) / steps[i];
  }
  jtj.assign(n, std::vector<double>(n));
  jtr.assign(n, 0);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < r.size(); ++k) jtr[i] += columns[i][k] * b[k];
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = 0;
      for (std::size_t k = 0; k < r.size(); ++k) sum += columns[i][k] * columns[j][k];
      jtj[i][j] = jtj[j][i] = sum;
    }
  }
}

}  // namespace

LeastSquares solve_linear(const Matrix& rows, const std::vector<double>& b) {
  LeastSquares out;
  if (rows.empty()) return out;
  const std::size_t n = rows[0].size();
  Matrix normal(n, std::vector<double>(n)), inverse;
  std::vector<double> right(n);
  for (std::size_t k = 0; k < rows.size(); ++k) {
    for (std::size_t i = 0; i < n; ++i) {
      right[i] += rows[k][i] * b[k];
      for (std::size_t j = 0; j < n; ++j) normal[i][j] += rows[k][i] * rows[k][j];
    }
  }
  if (!invert(normal, inverse)) return out;
  out.x.assign(n, 0);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) out.x[i] += inverse[i][j] * right[j];
  }
  double squares = 0;
  for (std::size_t k = 0; k < rows.size(); ++k) {
    double error = -b[k];
    for (std::size_t i = 0; i < n; ++i) error += rows[k][i] * out.x[i];
    squares += error * error;
  }
  finish(inverse, squares, rows.size(), out);
  return out;
}

LeastSquares minimise(const Residuals& residuals, std::vector<double> x, const std::vector<double>& steps,
                      int iterations, std::size_t measured) {
  LeastSquares out;
  std::vector<double> r, moved;
  residuals(x, r);
  double squares = square_sum(r);
  double damping = 1e-3;
  Matrix jtj, inverse;
  std::vector<double> jtr;
  for (int i = 0; i < iterations; ++i) {
    normal_equations(residuals, x, steps, r, r, jtj, jtr);
    double gained = 0;
    for (int attempt = 0; attempt < 8; ++attempt) {
      Matrix damped = jtj;
      for (std::size_t k = 0; k < x.size(); ++k) damped[k][k] *= 1 + damping;
      if (!invert(damped, inverse)) return out;
      std::vector<double> at = x;
      for (std::size_t a = 0; a < x.size(); ++a) {
        for (std::size_t b = 0; b < x.size(); ++b) at[a] -= inverse[a][b] * jtr[b];
      }
      residuals(at, moved);
      const double now = square_sum(moved);
      if (std::isfinite(now) && now < squares) {
        gained = (squares - now) / squares;
        x = std::move(at);
        r = moved;
        squares = now;
        damping = std::max(1e-9, damping / 4);
        break;
      }
      damping *= 6;
    }
    if (gained < 1e-7) break;
  }
  normal_equations(residuals, x, steps, r, r, jtj, jtr);
  if (!invert(jtj, inverse)) return out;
  out.x = std::move(x);
  finish(inverse, squares, measured, out);
  return out;
}

std::vector<double> response(const Residuals& residuals, const std::vector<double>& x,
                             const std::vector<double>& steps, const std::vector<double>& change) {
  std::vector<double> out(x.size()), r, jtr;
  residuals(x, r);
  Matrix jtj, inverse;
  normal_equations(residuals, x, steps, r, change, jtj, jtr);
  if (!invert(jtj, inverse)) return out;
  for (std::size_t a = 0; a < x.size(); ++a) {
    for (std::size_t b = 0; b < x.size(); ++b) out[a] -= inverse[a][b] * jtr[b];
  }
  return out;
}

}  // namespace sluice
