#include "runtime/trace_json.h"

#include <unistd.h>

#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "framework/core/redact.h"

namespace sluice {
namespace {

constexpr std::size_t kTextReserve = 256 * 1024;

// A quoted JSON text, without passwords.
std::string json_text(std::string_view text) {
  using Json = nlohmann::json;
  return Json(redact_url(std::string(text))).dump(-1, ' ', false, Json::error_handler_t::replace);
}

// The format counts in microseconds.
double to_us(TimeNs t) { return static_cast<double>(t) * 1e-3; }

std::string_view result_of(const FlowEvent& event) {
  if (event.reason != DropReason::kNone) return name_of(event.reason);
  return event.kind == FlowEvent::Kind::kFrame ? "delivered" : "processed";
}

// One number per frame of a run, for the arrows that lead through its slices.
std::uint64_t flow_of(const FlowEvent& event) {
  return (static_cast<std::uint64_t>(event.source) + 1) << 48 | event.number;
}

template <typename... Args>
void append(std::string& text, fmt::format_string<Args...> format, Args&&... args) {
  fmt::format_to(std::back_inserter(text), format, std::forward<Args>(args)...);
}

}  // namespace

TraceJson::TraceJson(const Plan& plan) : plan_(plan), process_(::getpid()) {
  text_.reserve(kTextReserve);
  for (const NodePlan& node : plan.nodes) levels_.emplace_back(node.outputs.size());
}

std::string_view TraceJson::node_name(int node) const {
  return plan_.nodes[static_cast<std::size_t>(node)].id;
}

std::string_view TraceJson::source_name(std::uint16_t source) const {
  return node_name(plan_.sources[source].node);
}

// Everything up to the event's own fields.
void TraceJson::start_event(char phase, TimeNs at) {
  text_ += first_ ? "\n" : ",\n";
  first_ = false;
  append(text_, R"({{"ph":"{}","pid":{},"ts":{:.3f})", phase, process_, to_us(at));
}

void TraceJson::begin() {
  text_ += R"({"displayTimeUnit":"ms","traceEvents":[)";
  start_event('M', 0);
  append(text_, R"(,"name":"process_name","args":{{"name":{}}}}})", json_text("sluice " + plan_.name));
}

void TraceJson::add(const FlowEvent& event) {
  switch (event.kind) {
    case FlowEvent::Kind::kCapture:
    case FlowEvent::Kind::kRun:
      add_slice(event);
      break;
    case FlowEvent::Kind::kWait:
      add_async(event, "wait", " waits");
      break;
    case FlowEvent::Kind::kFrame:
      add_async(event, "frame", " frame");
      break;
    case FlowEvent::Kind::kDrop:
      add_drop(event, false);
      break;
    case FlowEvent::Kind::kCredits:
      add_credits(event);
      break;
  }
}

void TraceJson::add_args(const FlowEvent& event) {
  append(text_, R"(,"args":{{"source":"{}")", source_name(event.source));
  if (event.number != kNoFrameNumber) append(text_, R"(,"frame":{})", event.number);
  append(text_, R"(,"result":"{}"}})", result_of(event));
}

// A thread is named after the first that is seen of it.
void TraceJson::name_thread(const FlowEvent& event) {
  if (threads_.contains(event.thread)) return;
  const ThreadKind kind = plan_.nodes[static_cast<std::size_t>(event.node)].thread;
  const bool worker = event.kind != FlowEvent::Kind::kCapture && kind == ThreadKind::kWorker;
  std::string name = worker ? fmt::format("worker {}", event.thread)
                            : fmt::format("{} ({} thread)", node_name(event.node), name_of(kind));
  start_event('M', 0);
  append(text_, R"(,"tid":{},"name":"thread_name","args":{{"name":"{}"}}}})", event.thread, name);
  threads_.emplace(event.thread, std::move(name));
}

void TraceJson::add_slice(const FlowEvent& event) {
  name_thread(event);
  const bool capture = event.kind == FlowEvent::Kind::kCapture;
  start_event('X', event.begin);
  append(text_, R"(,"tid":{},"dur":{:.3f},"cat":"{}","name":"{}")", event.thread,
         to_us(event.end - event.begin), capture ? "capture" : "node", node_name(event.node));
  add_args(event);
  if (!capture) append(text_, R"(,"bind_id":"{:#x}","flow_in":true,"flow_out":true)", flow_of(event));
  text_ += '}';
  const bool lost = event.reason != DropReason::kNone && event.reason != DropReason::kFiltered;
  if (lost) add_drop(event, true);
}

void TraceJson::add_async(const FlowEvent& event, std::string_view category, std::string_view suffix) {
  const bool frame = event.kind == FlowEvent::Kind::kFrame;
  const std::string_view name = frame ? source_name(event.source) : node_name(event.node);
  const std::uint64_t id = next_id_++;
  start_event('b', event.begin);
  append(text_, R"(,"cat":"{}","name":"{}{}","id":"{:#x}")", category, name, suffix, id);
  add_args(event);
  if (frame) append(text_, R"(,"bind_id":"{:#x}","flow_out":true)", flow_of(event));
  text_ += '}';
  start_event('e', event.end);
  append(text_, R"(,"cat":"{}","name":"{}{}","id":"{:#x}"}})", category, name, suffix, id);
}

void TraceJson::add_drop(const FlowEvent& event, bool in_thread) {
  start_event('i', event.end);
  if (in_thread) append(text_, R"(,"tid":{})", event.thread);
  append(text_, R"(,"s":"{}","cat":"drop","name":"{} at {}")", in_thread ? 't' : 'p', name_of(event.reason),
         node_name(event.node));
  add_args(event);
  text_ += '}';
}

void TraceJson::add_credits(const FlowEvent& event) {
  start_event('C', event.end);
  append(text_, R"(,"name":"in flight {}","args":{{"frames":{}}}}})", source_name(event.source),
         event.number);
}

void TraceJson::add_level(TimeNs now, std::size_t node, std::size_t output, std::size_t packets,
                          std::size_t buffers) {
  Level& told = levels_[node][output];
  if (told.packets == packets && told.buffers == buffers) return;
  told = {packets, buffers};
  const NodePlan& plan = plan_.nodes[node];
  start_event('C', now);
  append(text_, R"(,"name":{},"args":{{"packets":{},"buffers":{}}}}})",
         json_text("pool " + plan.id + "." + plan.outputs[output].name), packets, buffers);
}

void TraceJson::add_mark(TimeNs at, std::string_view category, std::string_view name, std::string_view why) {
  start_event('i', at);
  append(text_, R"(,"s":"p","cat":"{}","name":{},"args":{{"why":{}}}}})", category, json_text(name),
         json_text(why));
}

void TraceJson::add_lost(TimeNs now, std::uint64_t events) {
  add_mark(now, "lost", fmt::format("{} events lost", events), "the trace had no room for them");
}

void TraceJson::end(TimeNs start, const RunReport& report, std::uint64_t lost) {
  for (const InferenceReport& node : report.inference) {
    for (const DecisionReport& d : node.decisions) {
      const std::string what = d.backend + (d.variant.empty() ? "" : ", variant " + d.variant);
      add_mark(start + from_s(d.at_s), "decision", node.node + ": " + what, d.reason);
    }
  }
  for (const SettingReport& s : report.settings) {
    add_mark(start + from_s(s.at_s), "setting", s.node + "." + s.option + " = " + s.value,
             "set while running");
  }
  append(text_, "\n],\"otherData\":{{\"pipeline\":{},\"lost\":{}}}}}\n", json_text(report.pipeline), lost);
}

}  // namespace sluice
