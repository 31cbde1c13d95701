#include "simulation/fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "simulation/least_squares.h"
#include "simulation/power_law.h"
#include "simulation/thermal_network.h"

namespace sluice {
namespace {

constexpr std::size_t kLeastSamples = 300;
constexpr double kStepS = 0.25;        // of the model; dies have seconds
constexpr std::size_t kMostLag = 600;  // samples over which residuals are looked at for what stays on
constexpr double kMostGapS = 10;       // a longer one begins a new stretch: what happened in it is not known

constexpr HeatRole heat_of(UnitRole role) {
  return role == UnitRole::kNpu ? HeatRole::kNpu : role == UnitRole::kGpu ? HeatRole::kGpu : HeatRole::kCpu;
}

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
using Stretch = std::vector<Point>;

class Fitter {
 public:
  Fitter(const std::vector<RecordedRun>& traces, std::optional<double> ambient_c)
      : traces_(traces), ambient_c_(ambient_c) {}
  Result<FittedDevice> fit();

 private:
  Status find_units();
  Status fit_power();
  void make_stretches();
  Status fit_heat();
  void widen(const std::vector<double>& steps, LeastSquares& fit);
  double repeated(const std::vector<double>& r) const;
  void residuals(const std::vector<double>& x, std::vector<double>& out) const;
  void model(std::size_t stretch, const std::vector<double>& x, std::vector<double>& out) const;
  double ambient(const std::vector<double>& x) const { return ambient_c_.value_or(x[3 * (units() + 1)]); }
  std::vector<double> start_values() const;
  void take(const LeastSquares& fit);
  double coolest() const;
  std::size_t units() const { return roles_.size(); }
  // Parameters: by unit log C, log R, lag; then of the case the same; then ambient when it is fitted; then,
  // by stretch, the case's temperature at its beginning.
  static double positive(double x) { return std::exp(std::clamp(x, -20.0, 20.0)); }

  const std::vector<RecordedRun>& traces_;
  std::optional<double> ambient_c_;
  std::vector<UnitRole> roles_;
  std::vector<Stretch> stretches_;
  FittedDevice out_;
};

Status Fitter::find_units() {
  std::size_t power = 0, skin = 0;
  for (const RecordedRun& trace : traces_) {
    out_.samples += trace.samples.size();
    for (const Readings& r : trace.samples) {
      power += r.power_w.value.has_value();
      skin += r.temperature(HeatRole::kSkin).value.has_value();
    }
  }
  if (out_.samples < kLeastSamples)
    return invalid(
        fmt::format("{} samples are too few, {} are needed (five minutes)", out_.samples, kLeastSamples));
  if (power < out_.samples / 2)
    return invalid("the power is not known in half of the samples; it is what heats");
  if (skin < out_.samples / 2)
    return invalid("the skin temperature is not known in half of the samples; the case is fitted to it");
  for (const UnitRole role : {UnitRole::kNpu, UnitRole::kGpu, UnitRole::kCpu}) {
    std::size_t known = 0;
    double low = 1, high = 0;
    for (const RecordedRun& trace : traces_) {
      for (const Readings& r : trace.samples) {
        const auto load = load_of(r, role);
        if (!load || !r.temperature(heat_of(role)).value) continue;
        ++known;
        low = std::min(low, *load);
        high = std::max(high, *load);
      }
    }
    if (known >= out_.samples / 2 && high - low > 0.05) roles_.push_back(role);
  }
  if (roles_.empty())
    return invalid("no unit has a load that changes and a temperature of its own; record a run with pauses");
  return {};
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
      return invalid(fmt::format("the power does not rise with the load of '{}'", name_of(roles_[u])));
    out_.units.push_back(unit);
  }
  return {};
}

void Fitter::make_stretches() {
  for (const RecordedRun& trace : traces_) {
    std::vector<double> load(units(), 0);
    Stretch stretch;
    for (const Readings& r : trace.samples) {
      const double t = to_s(r.at);
      if (!stretch.empty() && t - stretch.back().t_s > kMostGapS)
        stretches_.push_back(std::exchange(stretch, {}));
      Point point;
      point.t_s = t;
      for (std::size_t u = 0; u < units(); ++u) {
        if (const auto now = load_of(r, roles_[u])) load[u] = *now;
        point.celsius.push_back(r.temperature(heat_of(roles_[u])).value);
      }
      point.load = load;
      point.celsius.push_back(r.temperature(HeatRole::kSkin).value);
      stretch.push_back(std::move(point));
    }
    if (!stretch.empty()) stretches_.push_back(std::move(stretch));
  }
}

double Fitter::coolest() const {
  double out = 1000;
  for (const Stretch& s : stretches_) {
    for (const Point& p : s) out = std::min(out, p.celsius.back().value_or(1000));
  }
  return out;
}

// A first-order lag. Below 0 its linear continuation, so that the fit has no edge there to stick at.
double sensed(double now, double before, double lag_s, double shown) {
  if (lag_s < 0) return now - lag_s * (now - before) / kStepS;
  return shown + (now - shown) * (kStepS / (kStepS + lag_s));
}

// What the sensors would say under parameters x, less what they said; missing samples give 0.
void Fitter::model(std::size_t index, const std::vector<double>& x, std::vector<double>& out) const {
  const Stretch& stretch = stretches_[index];
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
  ThermalNetwork network(nodes, links, ambient(x), kStepS);
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
  if (!ambient_c_) out.push_back(coolest());
  for (const Stretch& s : stretches_) {
    const auto known =
        std::find_if(s.begin(), s.end(), [](const Point& p) { return p.celsius.back().has_value(); });
    out.push_back(known == s.end() ? coolest() : *known->celsius.back());
  }
  return out;
}

Status Fitter::fit_heat() {
  const std::vector<double> start = start_values();
  std::vector<double> steps(start.size(), 1e-3);
  for (std::size_t i = 3 * (units() + 1); i < steps.size(); ++i) steps[i] = 0.01;
  LeastSquares fit = minimise(
      [this](const std::vector<double>& x, std::vector<double>& r) { residuals(x, r); }, start, steps, 60);
  if (!fit.ok)
    return invalid("the traces do not determine the device's heat; record longer, with load and pauses");
  widen(steps, fit);
  take(fit);
  return {};
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
  const std::size_t n = units() + 1;
  for (std::size_t u = 0; u < units(); ++u) {
    out_.units[u].heat_j_per_k = value(3 * u);
    out_.units[u].k_per_w = value(3 * u + 1);
    out_.units[u].lag_s = lag(3 * u + 2);
  }
  out_.case_j_per_k = value(3 * units());
  out_.case_k_per_w = value(3 * units() + 1);
  out_.case_lag_s = lag(3 * units() + 2);
  const std::size_t a = 3 * n;
  out_.ambient_c = ambient_c_ ? FittedValue{*ambient_c_, 0} : FittedValue{fit.x[a], fit.sigma[a]};
  std::vector<double> r;
  residuals(fit.x, r);
  std::vector<double> squares(n);
  for (std::size_t i = 0; i < r.size(); ++i) squares[i % n] += r[i] * r[i];
  const double rows = static_cast<double>(r.size() / n);
  for (std::size_t u = 0; u < units(); ++u) out_.units[u].rms_c = std::sqrt(squares[u] / rows);
  out_.case_rms_c = std::sqrt(squares[units()] / rows);
}

Result<FittedDevice> Fitter::fit() {
  SLUICE_RETURN_IF_ERROR(find_units());
  SLUICE_RETURN_IF_ERROR(fit_power());
  make_stretches();
  SLUICE_RETURN_IF_ERROR(fit_heat());
  return std::move(out_);
}

DeviceProfile with_network(const FittedDevice& fitted, DeviceProfile out) {
  out.nodes.clear();
  out.links.clear();
  out.sensors.clear();
  const int case_node = static_cast<int>(fitted.units.size());
  for (const FittedUnit& u : fitted.units) {
    const int node = static_cast<int>(out.nodes.size());
    out.nodes.push_back({std::string(name_of(u.role)) + "_die", u.heat_j_per_k.value});
    out.links.push_back({node, case_node, u.k_per_w.value});
    out.sensors.push_back({heat_of(u.role), node, u.rms_c, 0, u.lag_s.value});
  }
  out.nodes.push_back({"case", fitted.case_j_per_k.value});
  out.links.push_back({case_node, kAmbient, fitted.case_k_per_w.value});
  out.sensors.push_back({HeatRole::kSkin, case_node, fitted.case_rms_c, 0, fitted.case_lag_s.value});
  return out;
}

std::string line(std::string_view what, const FittedValue& v, std::string_view unit) {
  return fmt::format("  {:<28} {:9.4g} +- {:.2g} {}\n", what, v.value, v.sigma, unit);
}

}  // namespace

Result<FittedDevice> fit_device(const std::vector<RecordedRun>& traces, std::optional<double> ambient_c) {
  return Fitter(traces, ambient_c).fit();
}

DeviceProfile to_profile(const FittedDevice& fitted, DeviceProfile base, std::string name) {
  const std::vector<ThermalNode> old_nodes = base.nodes;
  DeviceProfile out = with_network(fitted, std::move(base));
  const int case_node = static_cast<int>(fitted.units.size());
  const Origin origin{Label::kFitted, fmt::format("sluice fit, {} samples", fitted.samples)};
  out.name = std::move(name);
  out.about = "fitted to recorded runs";
  out.thermal_origin = origin;
  out.ambient_c = fitted.ambient_c.value;
  out.rest_w = std::max(0.0, fitted.idle_w.value);
  out.rest_node = case_node;
  // Trips keep their limits; one of a node that was not fitted watches the case.
  const auto new_node = [&](int old) {
    for (std::size_t n = 0; n < out.nodes.size(); ++n) {
      if (out.nodes[n].name == old_nodes[static_cast<std::size_t>(old)].name) return static_cast<int>(n);
    }
    return case_node;
  };
  for (TripProfile& trip : out.governor.trips) trip.node = new_node(trip.node);
  for (UnitProfile& unit : out.units) {
    unit.node = case_node;
    unit.idle_w = 0;  // within the rest
    for (std::size_t u = 0; u < fitted.units.size(); ++u) {
      if (fitted.units[u].role != unit.role) continue;
      unit.node = static_cast<int>(u);
      unit.active_w = fitted.units[u].active_w.value;
      unit.origin = origin;
    }
  }
  return out;
}

std::string describe(const FittedDevice& f) {
  std::string out = fmt::format("fitted to {} samples\n", f.samples);
  out += line("idle power", f.idle_w, "W");
  for (const FittedUnit& u : f.units) {
    const std::string name(name_of(u.role));
    out += line(name + " power at full load", u.active_w, "W");
    out += line(name + " die", u.heat_j_per_k, "J/K");
    out += line(name + " die to case", u.k_per_w, "K/W");
    out += line(name + " sensor lag", u.lag_s, "s");
    out += fmt::format("  {:<28} {:9.3g} degrees C rms\n", name + " residual", u.rms_c);
  }
  out += line("case", f.case_j_per_k, "J/K");
  out += line("case to ambient", f.case_k_per_w, "K/W");
  out += line("skin sensor lag", f.case_lag_s, "s");
  out += fmt::format("  {:<28} {:9.3g} degrees C rms\n", "skin residual", f.case_rms_c);
  out += line("ambient", f.ambient_c, "degrees C");
  out += fmt::format("  {:<28} {:9.3g} W rms\n", "power residual", f.power_rms_w);
  return out;
}

}  // namespace sluice
