#include "runtime/thermal/chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice {
namespace {

using ::testing::HasSubstr;

Chart of(std::vector<std::optional<double>> values) {
  Chart chart;
  chart.title = "npu";
  chart.unit = "C";
  chart.from_zero = false;
  for (std::size_t i = 0; i < values.size(); ++i) chart.seconds.push_back(10.0 * static_cast<double>(i));
  chart.series.push_back({"npu", std::move(values), {}});
  return chart;
}

// One more than 1e17 is 1e17: an axis whose step is none would never be drawn to its end.
TEST(Chart, OfAValueThatStaysHasAnAxisHoweverLargeItIs) {
  for (const double value : {0.0, 40.0, -40.0, 1e12, 1e17, -1e17, 1e300}) {
    const std::string svg = chart_svg(of({value, value}));
    EXPECT_THAT(svg, HasSubstr("<figure")) << value;
    EXPECT_LT(svg.size(), 20'000u) << value;
  }
}

TEST(Chart, OfNothingKnownSaysSo) { EXPECT_THAT(chart_svg(of({{}, {}})), HasSubstr("not known here")); }

}  // namespace
}  // namespace sluice
