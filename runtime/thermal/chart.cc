#include "runtime/thermal/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/xml_text.h"

namespace sluice {
namespace {

constexpr double kWidth = 860, kHeight = 220, kLeft = 56, kRight = 12, kTop = 10, kBottom = 26;
constexpr double kPlotWidth = kWidth - kLeft - kRight, kPlotHeight = kHeight - kTop - kBottom;

struct Axis {
  double low = 0, high = 1, step = 1;
};

// 1, 2 or 5 times a power of ten, for about `count` steps.
double nice_step(double span, int count) {
  const double raw = span / count;
  double power = 1;
  while (power > raw) power /= 10;
  while (power * 10 <= raw) power *= 10;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (power * factor >= raw) return power * factor;
  }
  return power * 10;
}

Axis axis_for(double low, double high) {
  // Of a large number one more may be the same, and a step of none has no end.
  const double least = std::max(1e-9, std::max(std::abs(low), std::abs(high)) * 1e-6);
  if (high - low < least) high = low + std::max(1.0, least);
  const double step = nice_step(high - low, 4);
  return {std::floor(low / step) * step, std::ceil(high / step) * step, step};
}

// Steps of time that people read: seconds below two minutes, minutes above.
double time_step(double end_s) {
  for (const double step : {1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 3600.0}) {
    if (end_s / step <= 9) return step;
  }
  return nice_step(end_s, 8);
}

std::string number(double value) {
  if (std::abs(value) < 1e-12) return "0";
  return fmt::format("{:.6g}", value);
}

class Plot {
 public:
  explicit Plot(const Chart& chart) : chart_(chart) {
    double low = 0, high = 0;
    bool any = false;
    const auto see = [&](double v) {
      low = any ? std::min(low, v) : v;
      high = any ? std::max(high, v) : v;
      any = true;
    };
    for (const ChartSeries& s : chart.series) {
      for (const auto& v : s.values) {
        if (v) see(*v);
      }
      for (const auto& v : s.upper) {
        if (v) see(*v);
      }
    }
    known_ = any;
    // A limit far above what was reached would flatten the lines.
    for (const ChartLimit& l : chart.limits) {
      if (any && l.value <= high + 0.6 * (high - low) + 5) see(l.value);
    }
    y_ = axis_for(chart.from_zero ? std::min(0.0, low) : low, high);
    end_s_ = chart.seconds.empty() ? 1 : std::max(1e-9, chart.seconds.back());
    for (const ChartSeries& s : chart.series) {
      if (!s.seconds.empty()) end_s_ = std::max(end_s_, s.seconds.back());
    }
  }

  bool known() const { return known_; }
  std::string svg() const {
    std::string out = fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">", kWidth,
                                  kHeight, escaped(chart_.title));
    if (chart_.recovery_from_s && *chart_.recovery_from_s < end_s_) {
      const double from = x(*chart_.recovery_from_s);
      out += fmt::format("<rect class=\"rest\" x=\"{:.1f}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\"/>", from,
                         kTop, kLeft + kPlotWidth - from, kPlotHeight);
    }
    axes(out);
    for (const ChartSeries& s : chart_.series) band(s, out);
    for (const ChartLimit& l : chart_.limits) limit(l, out);
    for (const ChartSeries& s : chart_.series) line(s, out);
    hovers(out);
    return out + "</svg>";
  }

 private:
  const std::vector<double>& seconds_of(const ChartSeries& s) const {
    return s.seconds.empty() ? chart_.seconds : s.seconds;
  }
  double x(double seconds) const { return kLeft + kPlotWidth * seconds / end_s_; }
  double y(double value) const { return kTop + kPlotHeight * (1 - (value - y_.low) / (y_.high - y_.low)); }

  void axes(std::string& out) const {
    for (double v = y_.low; v <= y_.high + y_.step * 1e-6; v += y_.step) {
      out += fmt::format(
          "<path class=\"grid\" d=\"M{} {:.1f}H{}\"/><text class=\"tick\" x=\"{}\" y=\"{:.1f}\" "
          "text-anchor=\"end\">{}</text>",
          kLeft, y(v), kLeft + kPlotWidth, kLeft - 6, y(v) + 4, number(v));
    }
    const double step = time_step(end_s_);
    for (double t = 0; t <= end_s_ + 1e-6; t += step) {
      out += fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>", x(t),
                         kHeight - 8, escaped(time_text(t)));
    }
  }

  void line(const ChartSeries& s, std::string& out) const {
    std::string path;
    bool pen = false;
    for (std::size_t i = 0; i < s.values.size(); ++i) {
      if (!s.values[i]) {
        pen = false;
        continue;
      }
      path += fmt::format("{}{:.1f} {:.1f}", pen ? "L" : "M", x(seconds_of(s)[i]), y(*s.values[i]));
      pen = true;
    }
    if (!path.empty())
      out += fmt::format("<path class=\"line\" style=\"stroke:var(--s{})\" d=\"{}\"/>", s.color, path);
  }

  void band(const ChartSeries& s, std::string& out) const {
    for (std::size_t i = 0; i < s.upper.size();) {
      std::string up, down;
      for (; i < s.upper.size() && s.upper[i] && s.values[i]; ++i) {
        up += fmt::format("{}{:.1f} {:.1f}", up.empty() ? "M" : "L", x(seconds_of(s)[i]), y(*s.upper[i]));
        down.insert(0, fmt::format("L{:.1f} {:.1f}", x(seconds_of(s)[i]), y(*s.values[i])));
      }
      if (!up.empty())
        out += fmt::format("<path class=\"band\" style=\"fill:var(--s{})\" d=\"{}{}Z\"/>", s.color, up, down);
      ++i;
    }
  }

  void limit(const ChartLimit& l, std::string& out) const {
    if (l.value > y_.high || l.value < y_.low) return;
    out += fmt::format(
        "<path class=\"limit\" style=\"stroke:var(--s{})\" d=\"M{} {:.1f}H{}\"/><text class=\"tick\" "
        "x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>",
        l.color, kLeft, y(l.value), kLeft + kPlotWidth, kLeft + kPlotWidth - 4, y(l.value) - 4,
        escaped(l.name));
  }

  // What a series says of the time up to `seconds`: its first value that is no earlier.
  std::string shown_at(const ChartSeries& s, double seconds) const {
    const std::vector<double>& at = seconds_of(s);
    const auto found = std::lower_bound(at.begin(), at.end(), seconds - 1e-6);
    const auto i = static_cast<std::size_t>(found - at.begin());
    if (i >= s.values.size() || !s.values[i]) return {};
    std::string text = "\n" + s.name + ": " + number(*s.values[i]);
    if (i < s.upper.size() && s.upper[i]) text += " to " + number(*s.upper[i]);
    return text + " " + chart_.unit.substr(0, chart_.unit.find(','));  // without what the lines mean
  }

  void hovers(std::string& out) const {
    for (std::size_t i = 0; i < chart_.seconds.size(); ++i) {
      const double from = i == 0 ? 0 : chart_.seconds[i - 1];
      std::string text = time_text(chart_.seconds[i]);
      for (const ChartSeries& s : chart_.series) text += shown_at(s, chart_.seconds[i]);
      out += fmt::format(
          "<rect class=\"hit\" x=\"{:.1f}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\"><title>{}</title>"
          "</rect>",
          x(from), kTop, x(chart_.seconds[i]) - x(from), kPlotHeight, escaped(text));
    }
  }

  const Chart& chart_;
  Axis y_;
  double end_s_ = 1;
  bool known_ = false;
};

std::string legend(const Chart& chart) {
  std::string out = "<ul class=\"legend\">";
  for (const ChartSeries& s : chart.series) {
    const bool any =
        std::any_of(s.values.begin(), s.values.end(), [](const auto& v) { return v.has_value(); });
    if (any)
      out += fmt::format("<li><i style=\"background:var(--s{})\"></i>{}</li>", s.color, escaped(s.name));
  }
  return out + "</ul>";
}

}  // namespace

std::string time_text(double seconds) {
  if (seconds < 120) return fmt::format("{:.4g} s", seconds);
  return fmt::format("{:.4g} min", seconds / 60);
}

std::string chart_svg(const Chart& chart) {
  const Plot plot(chart);
  std::string out = fmt::format("<figure><figcaption>{} <small>{}</small></figcaption>", escaped(chart.title),
                                escaped(chart.unit));
  if (!plot.known()) return out + "<p class=\"unknown\">not known here</p></figure>\n";
  return out + legend(chart) + plot.svg() + "</figure>\n";
}

std::string band_svg(const std::string& title, const std::vector<Band>& bands, double end_s) {
  constexpr double kRow = 30;
  const double height = kRow * static_cast<double>(bands.size());
  std::string out = fmt::format(
      "<figure><figcaption>{}</figcaption><svg viewBox=\"0 0 {} {}\" role=\"img\" "
      "aria-label=\"{}\">",
      escaped(title), kWidth, height, escaped(title));
  for (std::size_t row = 0; row < bands.size(); ++row) {
    const double top = kRow * static_cast<double>(row);
    out += fmt::format("<text class=\"tick\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>", kLeft - 6,
                       top + 18, escaped(bands[row].name.substr(0, 8)));
    for (const BandPart& part : bands[row].parts) {
      const double from = kLeft + kPlotWidth * part.from_s / end_s,
                   to = kLeft + kPlotWidth * part.to_s / end_s;
      out += fmt::format(
          "<rect class=\"part\" style=\"fill:var(--s{})\" x=\"{:.1f}\" y=\"{}\" width=\"{:.1f}\" "
          "height=\"22\"><title>{}</title></rect>",
          part.color, from, top + 3, std::max(1.0, to - from - 1), escaped(part.hover));
      if (to - from > 7.0 * static_cast<double>(part.label.size()) + 8)
        out += fmt::format("<text class=\"inside\" x=\"{:.1f}\" y=\"{}\">{}</text>", from + 5, top + 18,
                           escaped(part.label));
    }
  }
  return out + "</svg></figure>\n";
}

}  // namespace sluice
