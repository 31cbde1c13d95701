#include "runtime/thermal/thermal_html.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "framework/core/redact.h"
#include "runtime/thermal/chart.h"
#include "runtime/thermal/thermal_text.h"
#include "runtime/xml_text.h"

namespace sluice {
namespace {

constexpr std::string_view kStyle = R"(
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#5b6570;--line:#e3e7eb;--rest:#f2f4f6;--inside:#fff;
--s0:#0072b2;--s1:#c65100;--s2:#00805c;--s3:#a8568a;--s4:#8a6d00;--s5:#3b6fd4}
@media(prefers-color-scheme:dark){:root{--bg:#14171a;--fg:#e6e9ec;--dim:#9aa4ae;--line:#2c3238;--rest:#1d2226;
--inside:#14171a;--s0:#56b4e9;--s1:#f0904d;--s2:#3fc39a;--s3:#e3a0c6;--s4:#e6c34b;--s5:#9db8f5}}
@media print{:root{--bg:#fff;--fg:#000;--dim:#444;--line:#ccc;--rest:#eee;--inside:#fff;
--s0:#0072b2;--s1:#c65100;--s2:#00805c;--s3:#a8568a;--s4:#8a6d00;--s5:#3b6fd4}
figure,table{break-inside:avoid}body{font-size:10pt}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
*{box-sizing:border-box}body{margin:0 auto;padding:24px 20px;max-width:920px;background:var(--bg);color:var(--fg);
font:15px/1.45 system-ui,sans-serif}h1{font-size:22px;margin:0 0 4px}h2{font-size:17px;margin:28px 0 6px}
p{margin:4px 0}.dim,.unknown,small{color:var(--dim)}.tag{display:inline-block;border:1px solid var(--s1);
color:var(--s1);border-radius:4px;padding:0 6px;font-size:12px;font-weight:600;letter-spacing:.04em}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;margin:14px 0;font-variant-numeric:tabular-nums}
th,td{padding:5px 8px;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}th{color:var(--dim);font-weight:600;font-size:13px}
figure{margin:16px 0}figcaption{font-weight:600;margin-bottom:2px}small{font-weight:400}
svg{width:100%;height:auto;display:block}.legend{list-style:none;display:flex;flex-wrap:wrap;gap:2px 16px;margin:0;
padding:0;font-size:13px;color:var(--dim)}.legend i{display:inline-block;width:14px;height:3px;margin-right:6px;
vertical-align:middle}.grid{stroke:var(--line);stroke-width:1}.tick{fill:var(--dim);font:11px system-ui,sans-serif}
.line{fill:none;stroke-width:1.8;stroke-linejoin:round}.band{opacity:.18}.limit{stroke-width:1;stroke-dasharray:4 4}
.rest{fill:var(--rest)}.hit{fill:transparent}.hit:hover{fill:var(--fg);opacity:.07}
.inside{fill:var(--inside);font:600 12px system-ui,sans-serif;pointer-events:none}
ul.notes{padding-left:20px;color:var(--dim)}
)";

using Values = std::vector<std::optional<double>>;

template <typename F>
Values values_of(const ThermalRun& run, F value) {
  Values out;
  out.reserve(run.windows.size());
  for (const ThermalWindow& w : run.windows) out.push_back(value(w));
  return out;
}

std::vector<double> seconds_of(const ThermalRun& run) {
  std::vector<double> out;
  out.reserve(run.windows.size());
  for (const ThermalWindow& w : run.windows) out.push_back(w.t_s);
  return out;
}

// A run as the page shows it: of a comparison its name begins with "A " or "B ".
struct PageRun {
  const ThermalReport* report;
  const ThermalRun* run;
  std::string mark;
};

std::vector<PageRun> runs_of(const ThermalReport& report, const std::string& mark) {
  std::vector<PageRun> out;
  out.reserve(report.runs.size());
  for (const ThermalRun& run : report.runs) out.push_back({&report, &run, mark});
  return out;
}

std::string run_name(const PageRun& shown) {
  const ThermalRun& run = *shown.run;
  const std::string name = shown.mark + run.policy;
  return run.repetition > 1 ? fmt::format("{} ({})", name, run.repetition) : name;
}

Chart base_chart(const PageRun& shown, std::string title, std::string unit) {
  Chart out;
  out.title = std::move(title);
  out.unit = std::move(unit);
  out.seconds = seconds_of(*shown.run);
  out.recovery_from_s = shown.report->duration_s;
  return out;
}

// All runs in one chart, so that they can be compared: each at its own times, the longest one's on hover.
std::string together(const std::vector<PageRun>& runs) {
  const PageRun& longest = *std::max_element(
      runs.begin(), runs.end(),
      [](const PageRun& a, const PageRun& b) { return a.run->windows.size() < b.run->windows.size(); });
  Chart rate = base_chart(longest, "Frame rate", "frames per second");
  Chart latency = base_chart(longest, "Latency", "ms, p50 to p95");
  // Loads of different length have no common moment from which the devices rest.
  const bool one_load = std::all_of(runs.begin(), runs.end(), [&](const PageRun& r) {
    return r.report->duration_s == longest.report->duration_s;
  });
  if (!one_load) rate.recovery_from_s = latency.recovery_from_s = std::nullopt;
  for (std::size_t r = 0; r < runs.size(); ++r) {
    const ThermalRun& run = *runs[r].run;
    const int color = static_cast<int>(r) % kSeriesColors;
    rate.series.push_back(
        {run_name(runs[r]), values_of(run, [](auto& w) { return w.fps; }), {}, color, seconds_of(run)});
    latency.series.push_back({run_name(runs[r]), values_of(run, [](auto& w) { return w.p50_ms; }),
                              values_of(run, [](auto& w) { return w.p95_ms; }), color, seconds_of(run)});
  }
  return chart_svg(rate) + chart_svg(latency);
}

std::string heat_chart(const PageRun& shown) {
  const ThermalRun& run = *shown.run;
  Chart chart = base_chart(shown, "Temperatures", "degrees C, dashed: limits");
  chart.from_zero = false;
  for (std::size_t r = 0; r < kHeatRoles; ++r) {
    const int color = static_cast<int>(r) % kSeriesColors;
    const std::string role(name_of(static_cast<HeatRole>(r)));
    chart.series.push_back({role, values_of(run, [r](auto& w) { return w.temperature_c[r]; }), {}, color});
    for (const ThermalLimit& limit : shown.report->limits) {
      if (limit.role == role)
        chart.limits.push_back({fmt::format("{} limit {:g}", role, limit.celsius), limit.celsius, color});
    }
  }
  return chart_svg(chart);
}

std::string power_chart(const PageRun& shown) {
  Chart chart = base_chart(shown, "Power", "W");
  chart.series.push_back({"power", values_of(*shown.run, [](auto& w) { return w.power_w; }), {}, 4});
  return chart_svg(chart);
}

std::string energy_chart(const PageRun& shown) {
  Chart chart = base_chart(shown, "Energy per frame", "mJ, of the load");
  const auto millijoules = [](const ThermalWindow& w) {
    const auto joules = w.energy_per_frame_j();
    return joules ? std::optional(1e3 * *joules) : std::nullopt;
  };
  chart.series.push_back({"energy", values_of(*shown.run, millijoules), {}, 2});
  return chart_svg(chart);
}

// Every reason that a window of the run has; without one, that nothing was dropped.
std::string drops_chart(const PageRun& shown) {
  const ThermalRun& run = *shown.run;
  Chart chart = base_chart(shown, "Dropped by reason", "frames, of each window");
  std::set<std::string> reasons;
  for (const ThermalWindow& w : run.windows)
    for (const auto& [reason, count] : w.dropped) reasons.insert(reason);
  if (reasons.empty()) reasons.insert("dropped");
  for (const std::string& reason : reasons) {
    const auto count = [&](const ThermalWindow& w) {
      const auto found = w.dropped.find(reason);
      return std::optional(found == w.dropped.end() ? 0.0 : static_cast<double>(found->second));
    };
    const int color = static_cast<int>(chart.series.size()) % kSeriesColors;
    chart.series.push_back({reason, values_of(run, count), {}, color});
  }
  return chart_svg(chart);
}

int backend_color(std::string_view backend) {
  constexpr std::array<std::string_view, 4> kBackends = {"htp", "cpu", "gpu", "fake"};
  const auto* found = std::find(kBackends.begin(), kBackends.end(), backend);
  return found == kBackends.end() ? 5 : static_cast<int>(found - kBackends.begin());
}

// Each change within a window, also those that the last one undid.
std::string changes_text(const ThermalWindow::Infer& infer) {
  std::string out;
  const auto tell = [&](const char* how, const DecisionReport& d) {
    const ThermalWindow::Infer then{infer.node, d.backend, d.variant, d.performance_mode.value_or(""),
                                    d.step,     {},        {}};
    out += fmt::format("\n{} {} {}: {}", time_text(d.at_s), how, infer_words(then), redact_url(d.reason));
  };
  if (infer.first && !infer.changes.empty()) tell("on", *infer.first);
  for (const DecisionReport& d : infer.changes) tell("to", d);
  return out;
}

std::string backend_band(const ThermalRun& run) {
  std::vector<Band> bands;
  const auto end = std::find_if(run.windows.rbegin(), run.windows.rend(), [](auto& w) { return w.load; });
  const double end_s = end == run.windows.rend() ? 1 : run.windows.back().t_s;
  for (const ThermalWindow& w : run.windows) {
    if (!w.load) break;
    for (std::size_t i = 0; i < w.infer.size(); ++i) {
      if (bands.size() <= i) bands.push_back({w.infer[i].node, {}});
      const std::string label = infer_words(w.infer[i]);
      std::vector<BandPart>& parts = bands[i].parts;
      if (!parts.empty() && parts.back().label == label) {
        parts.back().to_s = w.t_s;
        parts.back().hover += changes_text(w.infer[i]);
        continue;
      }
      const std::string why =
          w.infer[i].changes.empty()
              ? fmt::format("\nfrom {}: {}", time_text(w.t_s - w.seconds), redact_url(w.infer[i].reason))
              : changes_text(w.infer[i]);
      parts.push_back({w.t_s - w.seconds, w.t_s, label, label + why, backend_color(w.infer[i].backend)});
    }
  }
  return bands.empty() ? "" : band_svg("Backend of each model (reason on hover)", bands, end_s);
}

std::string notes(const ThermalRun& run) {
  std::string out;
  for (const std::string& n : run.notices) out += "<li>" + escaped(redact_url(n)) + "</li>";
  return out.empty() ? out : "<ul class=\"notes\">" + out + "</ul>\n";
}

std::string table(const std::vector<PageRun>& runs) {
  std::string out = "<div class=\"scroll\"><table><thead><tr>";
  for (const std::string& head : summary_head()) out += "<th>" + escaped(head) + "</th>";
  out += "</tr></thead><tbody>";
  for (const PageRun& shown : runs) {
    out += "<tr>";
    std::string mark = shown.mark;
    for (const std::string& cell : summary_row(*shown.run))
      out += "<td>" + escaped(std::exchange(mark, "") + cell) + "</td>";
    out += "</tr>";
  }
  return out + "</tbody></table></div>\n";
}

// What was tested on what; a model of a device is never shown as the device.
std::string device_line(const ThermalReport& report, const std::string& mark) {
  std::string out = "<p>" + escaped(mark);
  if (!report.readings.empty()) out += "<span class=\"tag\">READINGS SIMULATED</span> ";
  if (report.simulated) out += "<span class=\"tag\">SIMULATED</span> ";
  if (!simulated_backends(report.runs).empty()) out += "<span class=\"tag\">BACKEND SIMULATED</span> ";
  out += escaped((mark.empty() ? "" : report.pipeline + " on ") + device_words(report)) + "</p>\n";
  return out;
}

bool has_simulated(const ThermalReport& report) {
  return report.simulated || !report.readings.empty() || !simulated_backends(report.runs).empty();
}

std::string page(const std::string& title, const std::string& devices, bool simulated,
                 const std::vector<PageRun>& runs) {
  std::string out = fmt::format(
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\"><title>{}</title><style>{}</style></head><body>\n<h1>{}</h1>\n{}",
      escaped(title), kStyle, escaped(title), devices);
  if (simulated)
    out +=
        "<p class=\"dim\">Where it says simulated, a model of the device ran, not the device. Its numbers "
        "are "
        "published or assumed as its profile says. Where only the readings are, frames and times are real, "
        "and "
        "temperatures and power are the profile's; where only a backend is, its times are those of no "
        "hardware.</p>\n";
  if (runs.empty()) return out + "<p class=\"unknown\">no run</p></body></html>\n";
  out += table(runs) + together(runs);
  for (const PageRun& shown : runs) {
    const ThermalRun& run = *shown.run;
    out += "<h2>" + escaped(run_name(shown)) + "</h2>\n";
    if (!run.cool_down.empty())
      out += "<p class=\"dim\">" +
             escaped(fmt::format("Cool-down: {} ({:.0f} s)", run.cool_down, run.cool_down_s)) + "</p>\n";
    out += heat_chart(shown) + power_chart(shown) + energy_chart(shown) + drops_chart(shown) +
           backend_band(run) + notes(run);
  }
  return out + "</body></html>\n";
}

}  // namespace

std::string thermal_html(const ThermalReport& report) {
  return page(fmt::format("Thermal test of {}", report.pipeline), device_line(report, ""),
              has_simulated(report), runs_of(report, ""));
}

std::string compare_html(const ThermalReport& a, const ThermalReport& b) {
  std::vector<PageRun> runs = runs_of(a, "A ");
  const std::vector<PageRun> others = runs_of(b, "B ");
  runs.insert(runs.end(), others.begin(), others.end());
  return page("Thermal tests compared", device_line(a, "A: ") + device_line(b, "B: "),
              has_simulated(a) || has_simulated(b), runs);
}

}  // namespace sluice
