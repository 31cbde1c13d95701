// sluice explain
#include "tools/sluice/explain.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "inference/foreign_json.h"
#include "tools/sluice/commands.h"
#include "tools/sluice/output.h"

namespace sluice::cli {
namespace {

using Json = nlohmann::json;

std::string text(const Json& object, const char* key) {
  const auto found = object.find(key);  // of anything but an object: its end
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

double number(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : 0;
}

// Missing, null and anything else than a list: none.
const Json& list(const Json& object, const char* key) {
  static const Json kNone = Json::array();
  const auto found = object.find(key);
  return found != object.end() && found->is_array() ? *found : kNone;
}

// Missing, null and anything else than an object: an empty one.
Json member(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_object() ? *found : Json::object();
}

std::string place(const Json& decision) {
  std::string out = text(decision, "backend");
  if (const std::string variant = text(decision, "variant"); !variant.empty()) out += ", variant " + variant;
  if (const std::string mode = text(decision, "performance_mode"); !mode.empty()) out += ", " + mode;
  if (const double step = number(decision, "step"); step > 0)
    out += fmt::format(", step {:g} of degrade", step);
  return out;
}

// What the selector wrote: why, then what it expected of each candidate.
std::string why(const std::string& reason) {
  constexpr std::string_view kMark = "; predicted: ";
  const std::size_t mark = reason.find(kMark);
  std::string out = "      why: " + reason.substr(0, mark) + "\n";
  if (mark == std::string::npos) return out;
  out += "      predicted then:\n";
  std::string_view rest = std::string_view(reason).substr(mark + kMark.size());
  while (!rest.empty()) {
    const std::size_t end = rest.find("; ");
    out += fmt::format("        {}\n", rest.substr(0, end));
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 2);
  }
  return out;
}

std::string explain_node(const Json& node) {
  std::string requested;
  for (const Json& backend : list(node, "requested"))
    if (backend.is_string()) requested += (requested.empty() ? "" : ", ") + backend.get<std::string>();
  const Json& decisions = list(node, "decisions");
  const std::size_t changes = decisions.empty() ? 0 : decisions.size() - 1;
  std::string out = fmt::format("node '{}', model '{}', backends {}: {} change{}\n", text(node, "node"),
                                text(node, "model"), requested, changes, changes == 1 ? "" : "s");
  for (const Json& decision : decisions)
    out += fmt::format("  {:10.1f} s  {}\n", number(decision, "at_s"), place(decision)) +
           why(text(decision, "reason"));
  for (const Json& warning : list(node, "warnings"))
    if (warning.is_string()) out += "  warning: " + warning.get<std::string>() + "\n";
  return out;
}

// What a window says of how each of its nodes ran at its end, as a decision would. By node.
std::map<std::string, Json> choices_of(const Json& window) {
  std::map<std::string, Json> out;
  const Json backends = member(window, "backend");
  for (const auto& [node, backend] : backends.items()) {
    Json& choice = out[node];
    choice["backend"] = backend.is_string() ? backend : Json("?");
    for (const char* key : {"variant", "performance_mode", "reason", "step"}) {
      const Json values = member(window, key);
      if (const auto found = values.find(node); found != values.end()) choice[key] = *found;
    }
  }
  return out;
}

std::string explain_change(double at_s, const std::string& node, const Json& choice) {
  std::string out = fmt::format("  {:10.1f} s  {} on {}\n", at_s, node, place(choice));
  if (const std::string reason = text(choice, "reason"); !reason.empty()) out += why(reason);
  return out;
}

// Changes of backend or variant are the test's `switches`; how many of the decisions are others.
std::string changes_of(const Json& run) {
  std::size_t decisions = 0;
  for (const Json& window : list(run, "windows")) {
    const Json all = member(window, "decisions");
    for (const Json& changes : all) decisions += changes.is_array() ? changes.size() : 0;
  }
  const double switches = number(run, "switches");
  std::string out = fmt::format("{:g} change{} of backend or variant", switches, switches == 1 ? "" : "s");
  if (static_cast<double>(decisions) > switches)
    out += fmt::format(", {:g} of performance mode or ladder step alone",
                       static_cast<double>(decisions) - switches);
  return out;
}

// A window has the decisions made in it, the first one what the run began on, and each tells what ran at its
// end and why: that is said where it differs from the one before (null: there is none) and no decision tells
// it.
std::string explain_window(const Json& window, const std::string& node, const Json& choice,
                           const Json* before) {
  const Json decisions = member(window, "decisions"), firsts = member(window, "first");
  const Json& changes = list(decisions, node.c_str());
  std::string out;
  if (changes.empty()) {
    const double at_s = number(window, "t_s") - (before ? 0 : number(window, "seconds"));
    return before && *before == choice ? out : explain_change(std::max(0.0, at_s), node, choice);
  }
  if (const Json first = member(firsts, node.c_str()); !first.empty())
    out += explain_change(number(first, "at_s"), node, first);
  for (const Json& change : changes) out += explain_change(number(change, "at_s"), node, change);
  return out;
}

std::string explain_windows(const Json& run) {
  std::string out = fmt::format("policy {}: {}\n", text(run, "policy"), changes_of(run));
  std::map<std::string, Json> last;
  for (const Json& window : list(run, "windows")) {
    for (const auto& [node, choice] : choices_of(window)) {
      const auto before = last.find(node);
      out += explain_window(window, node, choice, before == last.end() ? nullptr : &before->second);
      last[node] = choice;
    }
  }
  return out;
}

}  // namespace

Result<std::string> explain(std::string_view report) {
  const Json json = read_json<Json>(report);
  if (json.is_discarded()) return invalid("it is not JSON");
  const bool run = json.is_object() && json.contains("inference");
  const bool thermal = json.is_object() && json.contains("runs");
  if (!run && !thermal)
    return invalid("it is neither a report of `sluice run --report` nor of `sluice thermal --json`");
  if (const auto known = json.find("version"); known != json.end() && *known != 1)
    return invalid("its version is " + known->dump() + ", and 1 is the only one that is known");
  std::string out;
  if (const std::string of = text(json, "simulated_readings"); !of.empty())
    out += "simulated: temperatures, clocks and power are those of profile " + of + "\n";
  if (const auto simulated = json.find("simulated"); simulated != json.end() && *simulated == Json(true))
    out += "simulated: something in this run did not run on what it is named after\n";
  for (const Json& node : list(json, "inference")) out += explain_node(node);
  for (const Json& one : list(json, "runs")) {
    out += explain_windows(one);
    for (const Json& node : list(one, "inference")) out += explain_node(node);
  }
  return out.empty() ? std::string("no node of this run chooses anything\n") : out;
}

int execute(const ExplainArguments& arguments) {
  errno = 0;
  std::ifstream file(arguments.report, std::ios::binary);
  std::ostringstream bytes;
  if (file) bytes << file.rdbuf();  // of an empty file: fails without a reason
  if (!file || (!bytes && errno != 0)) {
    print_error(fmt::format("'{}' cannot be read: {}", arguments.report, std::strerror(errno)));
    return kWrongUse;
  }
  const Result<std::string> words = explain(bytes.str());
  if (words.ok()) return print_result(*words);
  print_error(fmt::format("'{}' cannot be explained: {}", arguments.report, words.status().message()));
  return kWrongUse;
}

}  // namespace sluice::cli
