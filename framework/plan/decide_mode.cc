// Realtime or lossless (contract section 3 rules 5 and 10), and what is written but contradicts it.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "framework/core/suggest.h"
#include "framework/plan/draft.h"

namespace sluice::planning {
namespace {

constexpr std::string_view kPaceOption = "pace";
constexpr std::string_view kDropStale = "drop_stale";
constexpr std::string_view kMaxAge = "max_age_ms";
constexpr std::string_view kPushed = "app_source";  // the application's pace is the only one it has

// "realtime", "max" or a positive number, as an option value; null when it is neither.
OptionValue parse_pace(std::string_view text) {
  if (text == "realtime" || text == "max") return {std::string(text)};
  double fps = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), fps);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(fps) || fps <= 0) return {};
  return {fps};
}

std::string pace_text(const OptionValue& pace) {
  if (const auto* text = std::get_if<std::string>(&pace.data)) return *text;
  const auto* fps = std::get_if<double>(&pace.data);
  if (!fps) return {};
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, *fps).ptr;
  return {text, end};
}

SourceTraits ask(Draft& d, const SourcePlan& source) {
  const NodePlan& node = d.node(source.node);
  return d.inputs.ask_source ? d.inputs.ask_source(node.declaration->type, *node.options) : SourceTraits{};
}

void set_pace(NodePlan& node, const OptionValue& pace) {
  OptionMap values = node.options->all();
  const auto found = values.find(kPaceOption);
  if (found == values.end()) return;
  found->second = pace;
  node.options = std::make_shared<const Options>(std::move(values));
}

struct Sources {
  int live = -1;          // a live source's node
  int unpaced = -1;       // a file's that runs as fast as it can
  bool any_file = false;  // that --pace may act on
  bool unknown = false;   // one whose options are wrong
};

// Fills one SourcePlan; `forced` is --pace (null: not given), which acts on files.
void settle_source(Draft& d, SourcePlan& source, const OptionValue& forced, Sources& seen) {
  NodePlan& node = d.node(source.node);
  SourceTraits traits = ask(d, source);
  source.live = traits.live;
  const bool has_option = node.options->has(kPaceOption);
  const std::string written = has_option ? pace_text(node.options->value(kPaceOption)) : "";
  if (source.live) {
    seen.live = source.node;
    source.pace = "realtime";
    if (!written.empty() && written != "realtime") {
      d.warn(node.mark, d.owner(source.node) + ": pace " + in_quotes(written) +
                            " has no effect, a live source sets its own");
    }
    return;
  }
  const bool pushed = node.declaration->type == kPushed;
  seen.any_file = seen.any_file || !pushed;
  const bool is_forced = !forced.is_null() && !pushed;
  if (is_forced) set_pace(node, forced);
  source.pace = is_forced ? pace_text(forced) : written.empty() ? "max" : written;
  traits.paced = source.pace != "max";
  if (!traits.paced) seen.unpaced = source.node;
}

Sources settle_sources(Draft& d) {
  OptionValue forced;
  if (d.inputs.pace) {
    constexpr std::array<std::string_view, 2> kPaces = {"realtime", "max"};
    forced = parse_pace(*d.inputs.pace);
    if (forced.is_null()) {
      d.error({}, "--pace is " + in_quotes(*d.inputs.pace) +
                      ", allowed: realtime, max, or a positive number of frames per second" +
                      did_you_mean(*d.inputs.pace, kPaces));
    }
  }
  Sources seen;
  for (SourcePlan& source : d.plan->sources) {
    if (d.draft(source.node).wrong_options) {
      seen.unknown = true;
    } else {
      settle_source(d, source, forced, seen);
    }
  }
  if (d.inputs.pace && !seen.any_file && !seen.unknown && !d.plan->sources.empty()) {
    const bool live = std::ranges::all_of(d.plan->sources, &SourcePlan::live);
    d.error({}, std::string("--pace acts on files, but every source of this pipeline is live") +
                    (live ? "" : " or pushed to by the application"));
  }
  return seen;
}

void imply_mode(Draft& d, const Sources& seen) {
  d.plan->lossless = seen.live < 0 && seen.unpaced >= 0;
  if (seen.live >= 0) {
    d.say("flow.mode is realtime: source '" + d.node(seen.live).id + "' is live");
  } else if (d.plan->lossless) {
    d.say("flow.mode is lossless: source '" + d.node(seen.unpaced).id +
          "' is a file read as fast as the graph allows");
  } else {
    d.say("flow.mode is realtime: every source is paced");
  }
}

// In lossless: an error where the file says lossless, else ignored and said. True: it is to be ignored.
bool refuse_loss(Draft& d, Mark mark, const std::string& what) {
  if (d.spec.flow.mode) {
    d.error(mark, what +
                      " contradicts flow.mode 'lossless', which never drops a frame; write 'mode: realtime' "
                      "or remove it");
    return false;
  }
  d.warn(mark,
         what + " is ignored: flow.mode is lossless here, because the sources are files without a pace");
  return true;
}

const char* text_of(WhenFull rule) {
  return rule == WhenFull::kBlock ? "block" : rule == WhenFull::kDropOldest ? "drop_oldest" : "drop_newest";
}

void check_edges(Draft& d) {
  for (const Link& link : d.links) {
    const WhenFull rule = link.spec->when_full;
    if (rule == WhenFull::kDefault || link.spec->sync == Sync::kLatest) continue;
    const std::string what = d.owner(link.to) + ": 'when_full: " + text_of(rule) + "'";
    if (d.plan->lossless && rule != WhenFull::kBlock) {
      refuse_loss(d, link.spec->when_full_mark, what);
    } else if (!d.plan->lossless && rule == WhenFull::kBlock) {
      d.error(
          link.spec->when_full_mark,
          what + " contradicts mode 'realtime', which never queues up; allowed: drop_oldest, drop_newest");
    }
  }
}

// Nodes that drop by age have nothing to do in an implied lossless: 0 = no limit.
void check_drop_stale(Draft& d) {
  for (int n = 0; n < static_cast<int>(d.nodes.size()); ++n) {
    if (!d.draft(n).known || d.type(n).type != kDropStale) continue;
    if (!refuse_loss(d, d.node(n).mark, d.owner(n) + ": 'drop_stale'")) continue;
    OptionMap values = d.node(n).options->all();
    values.insert_or_assign(std::string(kMaxAge), OptionValue{0.0});
    d.node(n).options = std::make_shared<const Options>(std::move(values));
  }
}

}  // namespace

void decide_mode(Draft& d) {
  const Sources seen = settle_sources(d);
  const FlowSpec& flow = d.spec.flow;
  if (flow.mode) {
    d.plan->lossless = *flow.mode == "lossless";
    if (d.plan->lossless && seen.live >= 0) {
      d.error(flow.mode_mark, "flow.mode is 'lossless', but source '" + d.node(seen.live).id +
                                  "' is live and cannot be throttled; allowed: realtime");
    }
  } else {
    imply_mode(d, seen);
  }
  check_edges(d);
  d.plan->deadline = to_ns(flow.deadline_ms);
  if (!d.plan->lossless) return;
  check_drop_stale(d);
  if (flow.deadline_ms > 0) refuse_loss(d, flow.deadline_mark, "flow.deadline_ms");
  d.plan->deadline = 0;
}

}  // namespace sluice::planning
