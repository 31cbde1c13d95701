// What a thermal test writes: JSON and back, text, CSV and the page.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "runtime/thermal/thermal_html.h"
#include "runtime/thermal/thermal_json.h"
#include "runtime/thermal/thermal_text.h"
#include "tests/runtime/thermal/support.h"

namespace sluice {
namespace {

using sluice::testing::report_of;
using sluice::testing::thermal_options;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ThermalJson, ComesBackAsItWas) {
  const ThermalReport report = report_of(thermal_options(120));
  const std::string path = ::testing::TempDir() + "/thermal_" + std::to_string(::getpid()) + ".json";
  std::ofstream(path) << thermal_json(report);
  const auto back = read_thermal_json(path);
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(thermal_json(*back), thermal_json(report));
}

TEST(ThermalJson, RefusesWhatIsNone) {
  const std::string path = ::testing::TempDir() + "/none_" + std::to_string(::getpid()) + ".json";
  for (const char* text :
       {"", "[]", "{}", R"({"runs": 3})", R"({"version": 2, "runs": []})", "{\"runs\": ["}) {
    std::ofstream(path) << text;
    EXPECT_FALSE(read_thermal_json(path).ok()) << text;
  }
  // Windows are not lost without a word.
  const auto why = [&](const std::string& runs) {
    std::ofstream(path) << R"({"version": 1, "runs": )" << runs << "}";
    return read_thermal_json(path).status().message();
  };
  EXPECT_THAT(why("3"), HasSubstr("'runs' is no list"));
  EXPECT_THAT(why("[3]"), HasSubstr("runs[0] is no map"));
  EXPECT_THAT(why(R"([{"windows": []}, {"windows": "x"}])"), HasSubstr("runs[1] has no list 'windows'"));
  EXPECT_THAT(why(R"([{"windows": [7]}])"),
              HasSubstr("runs[0].windows[0] has no numbers 't_s' and 'seconds'"));
  EXPECT_THAT(why(R"([{"windows": [{"t_s": "x", "seconds": 10}]}])"), HasSubstr("windows[0] has no numbers"));
  // Other values of wrong kinds are unknown, not a crash.
  EXPECT_EQ(why(R"([{"windows": [{"t_s": 10, "seconds": 10, "fps": [], "backend": {"a": 1}}]}])"), "");
}

TEST(ThermalText, ComparesRunsOfOnePolicy) {
  const ThermalReport hot = report_of(thermal_options(300));
  ThermalOptions cool = thermal_options(300);
  cool.ambient_c = 10;
  const std::string text = compare_text(hot, report_of(cool));
  EXPECT_THAT(text, HasSubstr("A: thermal_two_models on simulated qcs6490 at 35 degrees C, load 5 min\n"));
  EXPECT_THAT(text, HasSubstr("sustained fps"));
  EXPECT_THAT(text, HasSubstr(" %\n"));
}

// Only what both have can be compared; the rest is named.
TEST(ThermalText, SaysWhichRunsHaveNoCounterpart) {
  ThermalReport a = report_of(thermal_options(60)), b = a;
  a.runs[0].policy = "sustained";
  b.runs[0].repetition = 2;
  const std::string text = compare_text(a, b);
  EXPECT_THAT(text, HasSubstr("note: only A has a run of policy sustained\n"));
  EXPECT_THAT(text, HasSubstr("note: only B has a run of policy fixed, repetition 2\n"));
}

TEST(ThermalText, ATestWithoutAWindowHasLostNothingThatIsKnown) {
  ThermalReport report = report_of(thermal_options(60));
  report.runs[0].windows.clear();
  report.runs[0].results = results_of({}, 60);
  EXPECT_THAT(thermal_text(report), Not(HasSubstr("never")));
}

// Each side at its own times, with its own device and its own label.
TEST(ThermalHtml, AComparisonShowsBothDevicesAsTheyAre) {
  ThermalReport real = report_of(thermal_options(60));
  real.simulated = false;
  real.device = "real";
  const ThermalReport simulated = report_of(thermal_options(240));
  for (const std::string& page : {compare_html(real, simulated), compare_html(simulated, real)}) {
    EXPECT_THAT(page, HasSubstr("thermal_two_models on this machine at 35 degrees C, load 60 s"));
    EXPECT_THAT(page,
                HasSubstr("<span class=\"tag\">SIMULATED</span> thermal_two_models on simulated qcs6490"));
  }
  const std::string page = compare_html(real, simulated);
  // The real load ends after 60 of 300 s: its line ends at a fifth of the plot, which is 792 wide from 56 on.
  const std::size_t line = page.find("<path class=\"line\"");
  const std::string path = page.substr(line, page.find("/>", line) - line);
  EXPECT_THAT(path, HasSubstr("L214.4 ")) << path;
  EXPECT_THAT(page, Not(HasSubstr("class=\"rest\" x=\"2"))) << "the loads end at different times";
}

TEST(ThermalCsv, HasWhatAWindowHas) {
  ThermalReport report = report_of(thermal_options(60));
  report.runs[0].windows[0].dropped = {{"overload", 2}, {"stale", 3}};
  const std::string csv = thermal_csv(report);
  std::istringstream lines(csv);
  std::string head, first;
  std::getline(lines, head);
  std::getline(lines, first);
  EXPECT_TRUE(head.ends_with(",infer,energy_per_frame_j,drops,performance_mode")) << head;
  EXPECT_TRUE(first.ends_with(",overload=2 stale=3,near=balanced far=balanced")) << first;
  EXPECT_EQ(std::ranges::count(head, ','), std::ranges::count(first, ','));
  const ThermalWindow& w = report.runs[0].windows[0];
  EXPECT_NEAR(*w.energy_per_frame_j(), *w.power_w * w.seconds / static_cast<double>(w.delivered), 1e-12);
  EXPECT_FALSE(report.runs[0].windows.back().energy_per_frame_j()) << "a recovery has no frames";
}

// A change that the next one undoes within a window leaves no trace in what ran at its end.
TEST(ThermalHtml, TellsEachChangeOfAWindow) {
  ThermalReport report = report_of(thermal_options(120));
  ThermalWindow::Infer& infer = report.runs[0].windows[2].infer[0];
  infer.changes = {{21, "cpu", "", {}, 0, "<i>it failed</i>"},
                   {24, infer.backend, infer.variant, infer.performance_mode, infer.step, "it works again"}};
  report.runs[0].results = results_of(report.runs[0].windows, 120);
  EXPECT_EQ(report.runs[0].results.switches, 2);
  const std::string page = thermal_html(report);
  EXPECT_THAT(page, HasSubstr("to cpu: &lt;i&gt;it failed&lt;/i&gt;"));
  EXPECT_THAT(page, HasSubstr(": it works again"));
  const std::string path = ::testing::TempDir() + "/changes_" + std::to_string(::getpid()) + ".json";
  std::ofstream(path) << thermal_json(report);
  const auto read = read_thermal_json(path);
  std::filesystem::remove(path);
  ASSERT_TRUE(read.ok()) << read.status().message();
  const auto& changes = read->runs[0].windows[2].infer[0].changes;
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[0].reason, "<i>it failed</i>");
  EXPECT_EQ(thermal_json(*read), thermal_json(report));
}

TEST(ThermalHtml, IsSelfContainedAndEscapes) {
  ThermalReport report = report_of(thermal_options(120));
  report.runs[0].windows[2].infer[0].reason = "<b>\"hot\" & tired</b>";
  report.runs[0].windows[2].infer[0].backend = "gpu";
  report.pipeline = "<script>alert(1)</script>";
  const std::string page = thermal_html(report);
  EXPECT_THAT(page, HasSubstr("SIMULATED"));
  EXPECT_THAT(page, HasSubstr("&lt;b&gt;&quot;hot&quot; &amp; tired&lt;/b&gt;"));
  for (const char* outside : {"<script", "http:", "https:", "url(", "@import", "<b>"})
    EXPECT_THAT(page, Not(HasSubstr(outside)));
  EXPECT_THAT(page, HasSubstr("prefers-color-scheme:dark"));
  EXPECT_THAT(page, HasSubstr("@media print"));
}

}  // namespace
}  // namespace sluice
