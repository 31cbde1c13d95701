#include "simulation/fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "simulation/least_squares.h"
#include "simulation/power_law.h"
#include "simulation/thermal_network.h"

namespace sluice {
namespace {

// Five minutes of one a second, less what a recording lacks at its ends.
constexpr std::size_t kLeastSamples = 290;
constexpr double kLeastS = 290;
constexpr double kStepS = 0.25;        // of the model; dies have seconds
constexpr std::size_t kMostLag = 600;  // samples over which residuals are looked at for what stays on
// So many times what chance would give is none (some three deviations).
constexpr double kNoChance = 10;
constexpr double kMostCapacityDeviation = 10;  // times the value
constexpr double kMostGapS = 10;  // a longer one begins a new stretch: what happened in it is not known

constexpr std::array kRoles = {UnitRole::kNpu, UnitRole::kGpu, UnitRole::kCpu};

// Load as a share of full power: time at work times clock^2.5.
std::optional<double> load_of(const Readings& r, UnitRole role) {
  const auto u = static_cast<std::size_t>(role);
  if (!r.utilisation[u].value) return std::nullopt;
  double speed = 1;
  if (r.clock_mhz[u].value && r.max_clock_mhz[u].value && *r.max_clock_mhz[u].value > 0)
    speed = std::clamp(*r.clock_mhz[u].value / *r.max_clock_mhz[u].value, 0.0, 1.0);
  return *r.utilisation[u].value * power_share(speed);
}

// One sample as the fit uses it. The load of a sample is that of the time before it.
struct Point {
  double t_s = 0;
  std::vector<double> load;                    // by unit; a missing one is carried on
  std::vector<std::optional<double>> celsius;  // by unit, then the case
};
struct Stretch {
  std::size_t trace = 0;
  std::vector<Point> points;
};

class Fitter {
 public:
  Fitter(const std::vector<RecordedRun>& traces, std::optional<double> ambient_c)
      : traces_(traces), ambient_c_(ambient_c) {}
  Result<FittedDevice> fit();

 private:
  Status check_samples();
  Status find_units();
  std::string known_units() const;
  void find_steady();
  Status fit_power();
  void make_stretches();
  Status fit_heat();
  LeastSquares solve() const;
  std::vector<double> steps_of(std::size_t count) const;
  Status check_one_ambient();
  void tell_ambients_apart(LeastSquares& fit);
  void widen(const std::vector<double>& steps, LeastSquares& fit);
  double repeated(const std::vector<double>& r) const;
  void residuals(const std::vector<double>& x, std::vector<double>& out) const;
  void model(std::size_t stretch, const std::vector<double>& x, std::vector<double>& out) const;
  double ambient(std::size_t trace, const std::vector<double>& x) const {
    return ambients_ == 0 ? *ambient_c_ : x[3 * (units() + 1) + (ambients_ == 1 ? 0 : trace)];
  }
  std::vector<double> start_values() const;
  void take(const LeastSquares& fit);
  void take_ambients(const LeastSquares& fit);
  void take_residuals(const LeastSquares& fit);
  Status check_told() const;
  double coolest(std::size_t trace) const;
  std::size_t units() const { return roles_.size(); }
  std::size_t measured() const { return std::reduce(said_.begin(), said_.end()); }
  // Parameters: by unit log C, log R, lag; then of the case the same; then the ambients that are fitted;
  // then, by stretch, the case's temperature at its beginning.
  static double positive(double x) { return std::exp(std::clamp(x, -20.0, 20.0)); }

  const std::vector<RecordedRun>& traces_;
  std::optional<double> ambient_c_;
  std::size_t ambients_ = 0;  // that are fitted: none, one for all traces, one for each
  std::vector<UnitRole> roles_;
  std::vector<Stretch> stretches_;
  std::vector<std::size_t> said_;  // temperatures, by unit, then the case
  FittedDevice out_;
};

// The time between the samples, without gaps in which nothing is known.
double covered_s(const std::vector<RecordedRun>& traces) {
  double out = 0;
  for (const RecordedRun& trace : traces) {
    for (std::size_t k = 1; k < trace.samples.size(); ++k) {
      const double step = to_s(trace.samples[k].at - trace.samples[k - 1].at);
      if (step <= kMostGapS) out += step;
    }
  }
  return out;
}

Status Fitter::check_samples() {
  std::size_t power = 0, skin = 0;
  for (const RecordedRun& trace : traces_) {
    out_.samples += trace.samples.size();
    for (const Readings& r : trace.samples) {
      power += r.power_w.value.has_value();
      skin += r.temperature(HeatRole::kSkin).value.has_value();
    }
  }
  if (out_.samples < kLeastSamples)
    return invalid(fmt::format("{} samples are too few, {} are needed (five minutes of one a second)",
                               out_.samples, kLeastSamples));
  if (const double known = covered_s(traces_); known < kLeastS)
    return invalid(
        fmt::format("the {} samples cover {:.3g} s, {:g} are needed (five minutes); 't_s' is in seconds, and "
                    "a gap of more "
                    "than {:g} s covers nothing",
                    out_.samples, known, kLeastS, kMostGapS));
  if (power < out_.samples / 2)
    return invalid("the power is not known in half of the samples; it is what heats");
  if (skin < out_.samples / 2)
    return invalid("the skin temperature is not known in half of the samples; the case is fitted to it");
  return {};
}

// What the traces tell of a unit.
struct Seen {
  std::size_t known = 0;  // samples with both its load and its temperature
  double low = 1, high = 0;
  bool changes() const { return high - low > 0.05; }
};

Seen seen_of(UnitRole role, const std::vector<RecordedRun>& traces) {
  Seen out;
  for (const RecordedRun& trace : traces) {
    for (const Readings& r : trace.samples) {
      const auto load = load_of(r, role);
      if (!load || !r.temperature(heat_role(role)).value) continue;
      ++out.known;
      out.low = std::min(out.low, *load);
      out.high = std::max(out.high, *load);
    }
  }
  return out;
}

Status Fitter::find_units() {
  for (const UnitRole role : kRoles) {
    const Seen seen = seen_of(role, traces_);
    if (seen.known >= out_.samples / 2 && seen.changes()) roles_.push_back(role);
  }
  if (!roles_.empty()) return {};
  const std::string known = known_units();
  if (known.empty())
    return invalid("no unit has a load that changes and a temperature of its own; record a run with pauses");
  return invalid("no unit has a load that changes and a temperature of its own in half of all samples (" +
                 known + "); fit recordings that know the same units together, others on their own");
}

// "npu in 560 of 1200": those of which some recording tells enough.
std::string Fitter::known_units() const {
  std::string out;
  for (const UnitRole role : kRoles) {
    const Seen seen = seen_of(role, traces_);
    if (seen.known > 0 && seen.changes())
      out +=
          fmt::format("{}{} in {} of {}", out.empty() ? "" : ", ", name_of(role), seen.known, out_.samples);
  }
  return out;
}

// What the units that are not fitted did meanwhile: the power of that is taken for idle power.
void Fitter::find_steady() {
  for (const UnitRole role : kRoles) {
    if (std::ranges::count(roles_, role) > 0) continue;
    double sum = 0;
    std::size_t known = 0;
    for (const RecordedRun& trace : traces_) {
      for (const Readings& r : trace.samples) {
        const auto load = load_of(r, role);
        sum += load.value_or(0);
        known += load.has_value();
      }
    }
    if (sum > 0) out_.steady.push_back({role, sum / static_cast<double>(known)});
  }
}

// power = idle + sum over units of active x load.
Status Fitter::fit_power() {
  std::vector<std::vector<double>> rows;
  std::vector<double> watts;
  for (const RecordedRun& trace : traces_) {
    for (const Readings& r : trace.samples) {
      std::vector<double> row = {1};
      for (const UnitRole role : roles_) {
        if (const auto load = load_of(r, role)) row.push_back(*load);
      }
      if (row.size() != units() + 1 || !r.power_w.value) continue;
      rows.push_back(std::move(row));
      watts.push_back(*r.power_w.value);
    }
  }
  const LeastSquares fit = solve_linear(rows, watts);
  if (!fit.ok) return invalid("the units' loads always change together: their powers cannot be told apart");
  out_.idle_w = {fit.x[0], fit.sigma[0]};
  out_.power_rms_w = fit.rms;
  for (std::size_t u = 0; u < units(); ++u) {
    FittedUnit unit;
    unit.role = roles_[u];
    unit.active_w = {fit.x[u + 1], fit.sigma[u + 1]};
    if (unit.active_w.value <= 0)
      return invalid(fmt::format(
          "the power does not rise with the load of '{}'; record a run whose load changes, with pauses",
          name_of(roles_[u])));
    out_.units.push_back(unit);
  }
  return {};
}

void Fitter::make_stretches() {
  said_.assign(units() + 1, 0);
  for (std::size_t trace = 0; trace < traces_.size(); ++trace) {
    std::vector<double> load(units(), 0);
    Stretch stretch{trace, {}};
    for (const Readings& r : traces_[trace].samples) {
      const double t = to_s(r.at);
      if (!stretch.points.empty() && t - stretch.points.back().t_s > kMostGapS)
        stretches_.push_back(std::exchange(stretch, {trace, {}}));
      Point point;
      point.t_s = t;
      for (std::size_t u = 0; u < units(); ++u) {
        if (const auto now = load_of(r, roles_[u])) load[u] = *now;
        point.celsius.push_back(r.temperature(heat_role(roles_[u])).value);
      }
      point.load = load;
      point.celsius.push_back(r.temperature(HeatRole::kSkin).value);
      for (std::size_t i = 0; i < said_.size(); ++i) said_[i] += point.celsius[i].has_value();
      stretch.points.push_back(std::move(point));
    }
    if (!stretch.points.empty()) stretches_.push_back(std::move(stretch));
  }
}

// Of the skin, in one trace.
double Fitter::coolest(std::size_t trace) const {
  double out = 1000;
  for (const Readings& r : traces_[trace].samples)
    out = std::min(out, r.temperature(HeatRole::kSkin).value.value_or(1000));
  return out;
}

// A first-order lag. Below 0 its linear continuation, so that the fit has no edge there to stick at.
double sensed(double now, double before, double lag_s, double shown) {
  if (lag_s < 0) return now - lag_s * (now - before) / kStepS;
  return shown + (now - shown) * (kStepS / (kStepS + lag_s));
}

// What the sensors would say under parameters x, less what they said; missing samples give 0.
void Fitter::model(std::size_t index, const std::vector<double>& x, std::vector<double>& out) const {
  const std::vector<Point>& stretch = stretches_[index].points;
  const std::size_t n = units() + 1;
  std::vector<ThermalNode> nodes(n);
  std::vector<ThermalLink> links;
  std::vector<double> lag(n);
  for (std::size_t i = 0; i < n; ++i) {
    nodes[i].heat_j_per_k = positive(x[3 * i]);
    const int to = i + 1 < n ? static_cast<int>(units()) : kAmbient;
    links.push_back({static_cast<int>(i), to, positive(x[3 * i + 1])});
    lag[i] = x[3 * i + 2];
  }
  ThermalNetwork network(nodes, links, ambient(stretches_[index].trace, x), kStepS);
  // Dies begin at what their sensors said: they forget that error within seconds. The case does not, so its
  // beginning is fitted.
  const double case_c = x[x.size() - stretches_.size() + index];
  std::vector<double> first(n, case_c), power(n);
  for (std::size_t u = 0; u < units(); ++u) first[u] = stretch.front().celsius[u].value_or(case_c);
  network.set_temperatures(first);
  std::vector<double> shown = first;
  double t = stretch.front().t_s;
  for (std::size_t k = 0; k < stretch.size(); ++k) {
    for (std::size_t u = 0; u < units(); ++u) power[u] = out_.units[u].active_w.value * stretch[k].load[u];
    power[units()] = out_.idle_w.value;
    while (t + kStepS / 2 < stretch[k].t_s) {
      const std::vector<double> before(network.temperatures().begin(), network.temperatures().end());
      network.step(power);
      for (std::size_t i = 0; i < n; ++i)
        shown[i] = sensed(network.temperature(static_cast<int>(i)), before[i], lag[i], shown[i]);
      t += kStepS;
    }
    for (std::size_t i = 0; i < n; ++i) {
      const auto& said = stretch[k].celsius[i];
      out.push_back(said ? shown[i] - *said : 0);
    }
  }
}

void Fitter::residuals(const std::vector<double>& x, std::vector<double>& out) const {
  out.clear();
  for (std::size_t s = 0; s < stretches_.size(); ++s) model(s, x, out);
}

std::vector<double> Fitter::start_values() const {
  std::vector<double> out;
  for (std::size_t u = 0; u < units(); ++u) out.insert(out.end(), {std::log(1.0), std::log(8.0), 1.0});
  out.insert(out.end(), {std::log(100.0), std::log(5.5), 1.0});
  for (std::size_t a = 0; a < ambients_; ++a) out.push_back(coolest(a));
  for (const Stretch& s : stretches_) {
    const auto known =
        std::ranges::find_if(s.points, [](const Point& p) { return p.celsius.back().has_value(); });
    out.push_back(known == s.points.end() ? coolest(s.trace) : *known->celsius.back());
  }
  return out;
}

LeastSquares Fitter::solve() const {
  const std::vector<double> start = start_values();
  return minimise([this](const std::vector<double>& x, std::vector<double>& r) { residuals(x, r); }, start,
                  steps_of(start.size()), 60, measured());
}

std::vector<double> Fitter::steps_of(std::size_t count) const {
  std::vector<double> steps(count, 1e-3);
  for (std::size_t i = 3 * (units() + 1); i < count; ++i) steps[i] = 0.01;
  return steps;
}

// One that is given is wrong for some traces when they were made at several.
Status Fitter::check_one_ambient() {
  ambients_ = 1;
  LeastSquares fit = solve();
  tell_ambients_apart(fit);
  if (ambients_ == 1) return {};
  std::string each;
  for (std::size_t i = 0; i < ambients_; ++i)
    each += fmt::format("{}{:.1f} ({})", i > 0 ? ", " : "", fit.x[3 * (units() + 1) + i], traces_[i].name);
  return invalid("one ambient is given, and the traces were made at several, in degrees C: " + each +
                 "; fit each on its own, or all without --ambient");
}

Status Fitter::fit_heat() {
  if (ambient_c_ && traces_.size() > 1) SLUICE_RETURN_IF_ERROR(check_one_ambient());
  ambients_ = ambient_c_ ? 0 : 1;
  LeastSquares fit = solve();
  if (ambients_ == 1 && traces_.size() > 1) tell_ambients_apart(fit);
  if (!fit.ok)
    return invalid("the traces do not determine the device's heat; record longer, with load and pauses");
  widen(steps_of(fit.x.size()), fit);
  take(fit);
  return check_told();
}

// Traces at one ambient tell more together. But where an ambient of its own for each leaves so much less that
// it is no chance, they were at several.
void Fitter::tell_ambients_apart(LeastSquares& fit) {
  ambients_ = traces_.size();
  LeastSquares own = solve();
  std::vector<double> r;
  if (own.ok) residuals(own.x, r);
  const double all = static_cast<double>(measured()), more = static_cast<double>(traces_.size() - 1);
  const auto left = [&] { return own.rms * own.rms * repeated(r); };  // by one figure more, were it chance
  if (own.ok && (!fit.ok || (fit.rms * fit.rms - own.rms * own.rms) * all > kNoChance * more * left()))
    fit = std::move(own);
  else
    ambients_ = 1;
}

// The residuals' variance alone is too sure of itself: the powers that heat are not known exactly, and what
// the model lacks stays on for minutes, so that samples do not all tell something new.
void Fitter::widen(const std::vector<double>& steps, LeastSquares& fit) {
  const auto by = [this](const std::vector<double>& x, std::vector<double>& r) { residuals(x, r); };
  std::vector<double> at_fit, moved;
  residuals(fit.x, at_fit);
  const double factor = repeated(at_fit);
  std::vector<double> variance;
  variance.reserve(fit.sigma.size());
  for (const double s : fit.sigma) variance.push_back(s * s * factor);
  std::vector<FittedValue*> powers = {&out_.idle_w};
  for (FittedUnit& u : out_.units) powers.push_back(&u.active_w);
  for (FittedValue* power : powers) {
    const double value = std::exchange(power->value, power->value + power->sigma);
    residuals(fit.x, moved);
    power->value = value;
    for (std::size_t k = 0; k < moved.size(); ++k) moved[k] -= at_fit[k];
    const std::vector<double> shift = response(by, fit.x, steps, moved);
    for (std::size_t i = 0; i < shift.size(); ++i) variance[i] += shift[i] * shift[i];
  }
  for (std::size_t i = 0; i < variance.size(); ++i) fit.sigma[i] = std::sqrt(variance[i]);
}

// So many samples tell what one would if each were independent: 1 for noise, more where residuals stay on.
// Of the sensor that is worst; sums of autocorrelations up to the first that is not positive.
double Fitter::repeated(const std::vector<double>& r) const {
  const std::size_t n = units() + 1, rows = r.size() / n;
  double worst = 1;
  for (std::size_t sensor = 0; sensor < n; ++sensor) {
    const auto covariance = [&](std::size_t lag) {
      double sum = 0;
      for (std::size_t k = lag; k < rows; ++k) sum += r[k * n + sensor] * r[(k - lag) * n + sensor];
      return sum;
    };
    const double all = covariance(0);
    double factor = 1;
    for (std::size_t lag = 1; all > 0 && lag < std::min(kMostLag, rows); ++lag) {
      const double one = covariance(lag) / all;
      if (one <= 0) break;
      factor += 2 * one;
    }
    worst = std::max(worst, factor);
  }
  return worst;
}

void Fitter::take(const LeastSquares& fit) {
  const auto value = [&](std::size_t i) {
    const double v = positive(fit.x[i]);
    return FittedValue{v, v * fit.sigma[i]};
  };
  const auto lag = [&](std::size_t i) { return FittedValue{std::max(0.0, fit.x[i]), fit.sigma[i]}; };
  for (std::size_t u = 0; u < units(); ++u) {
    out_.units[u].heat_j_per_k = value(3 * u);
    out_.units[u].k_per_w = value(3 * u + 1);
    out_.units[u].lag_s = lag(3 * u + 2);
  }
  out_.case_j_per_k = value(3 * units());
  out_.case_k_per_w = value(3 * units() + 1);
  out_.case_lag_s = lag(3 * units() + 2);
  take_ambients(fit);
  take_residuals(fit);
}

void Fitter::take_ambients(const LeastSquares& fit) {
  out_.ambient_c = {ambient_c_.value_or(0), 0};
  const double share = 1.0 / static_cast<double>(ambients_);
  for (std::size_t i = 0; i < ambients_; ++i) {
    const std::size_t a = 3 * (units() + 1) + i;
    if (ambients_ > 1) out_.ambients.push_back({traces_[i].name, {fit.x[a], fit.sigma[a]}});
    out_.ambient_c.value += share * fit.x[a];
    out_.ambient_c.sigma += share * fit.sigma[a];  // they err together, with what the case gives off
  }
}

void Fitter::take_residuals(const LeastSquares& fit) {
  const std::size_t n = units() + 1;
  std::vector<double> r;
  residuals(fit.x, r);
  std::vector<double> squares(n);
  for (std::size_t i = 0; i < r.size(); ++i) squares[i % n] += r[i] * r[i];
  const auto rms = [&](std::size_t i) {
    return std::sqrt(squares[i] / static_cast<double>(std::max<std::size_t>(1, said_[i])));
  };
  for (std::size_t u = 0; u < units(); ++u) out_.units[u].rms_c = rms(u);
  out_.case_rms_c = rms(units());
}

// A resistance that may as well be twice as large, or nothing, makes no device: it sets how hot it gets. A
// die's heat capacity sets for how long only, and hardly shows in a steady load.
Status Fitter::check_told() const {
  const auto told = [](const std::string& what, const FittedValue& v, std::string_view unit, double most) {
    if (v.sigma < most * v.value) return Status();
    return invalid(
        fmt::format("the traces do not tell the {}: {:.3g} +- {:.2g} {}; record longer, with load "
                    "and pauses of minutes",
                    what, v.value, v.sigma, unit));
  };
  for (const FittedUnit& u : out_.units) {
    const std::string name(name_of(u.role));
    SLUICE_RETURN_IF_ERROR(told(name + " die", u.heat_j_per_k, "J/K", kMostCapacityDeviation));
    SLUICE_RETURN_IF_ERROR(told(name + " die to case", u.k_per_w, "K/W", 1));
  }
  SLUICE_RETURN_IF_ERROR(told("case", out_.case_j_per_k, "J/K", kMostCapacityDeviation));
  return told("case to ambient", out_.case_k_per_w, "K/W", 1);
}

Result<FittedDevice> Fitter::fit() {
  SLUICE_RETURN_IF_ERROR(check_samples());
  SLUICE_RETURN_IF_ERROR(find_units());
  find_steady();
  SLUICE_RETURN_IF_ERROR(fit_power());
  make_stretches();
  SLUICE_RETURN_IF_ERROR(fit_heat());
  return std::move(out_);
}

}  // namespace

Result<FittedDevice> fit_device(const std::vector<RecordedRun>& traces, std::optional<double> ambient_c) {
  return Fitter(traces, ambient_c).fit();
}

}  // namespace sluice
