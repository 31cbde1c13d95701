// Line charts as inline SVG: no script, colours from CSS variables (--s0.. for series), values on hover.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

struct ChartSeries {
  std::string name;
  std::vector<std::optional<double>> values;  // by x; unknown ones leave a gap
  std::vector<std::optional<double>> upper;   // of a band from `values` up; empty: none
  int color = 0;
  std::vector<double> seconds = {};  // its own x, rising; empty: the chart's
};

struct ChartLimit {
  std::string name;
  double value = 0;
  int color = 0;
};

struct Chart {
  std::string title;
  std::string unit;
  std::vector<double> seconds;  // x, rising; its steps are what shows values on hover
  std::vector<ChartSeries> series;
  std::vector<ChartLimit> limits;
  std::optional<double> recovery_from_s;  // shaded from here on
  bool from_zero = true;
};

// A <figure> with its legend; with the words "not known here" when no value is.
std::string chart_svg(const Chart& chart);

// One coloured stretch of a band chart.
struct BandPart {
  double from_s = 0, to_s = 0;
  std::string label;
  std::string hover;
  int color = 0;
};
struct Band {
  std::string name;
  std::vector<BandPart> parts;
};
std::string band_svg(const std::string& title, const std::vector<Band>& bands, double end_s);

// "90 s", "12 min".
std::string time_text(double seconds);

constexpr int kSeriesColors = 6;

}  // namespace sluice
