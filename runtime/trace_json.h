// Events of a run in the Trace Event Format (JSON), which Perfetto's and Chrome's viewers read:
// https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "framework/graph/flow_events.h"
#include "framework/plan/plan.h"
#include "runtime/report.h"

namespace sluice {

// Appends to a text that its user takes away and clears. One thread. What becomes what:
//   a node's run, a capture       a slice ("X") of its thread, named after the node; args: source, frame,
//                                 result
//   a wait for a node             an asynchronous slice ("b", "e") of category "wait"
//   a frame, from its capture     the same, of category "frame"; arrows lead from it through its runs
//   a loss                        an instant ("i") of category "drop", named "REASON at NODE"
//   credits taken, pools in use   counters ("C")
//   decisions, options set        instants of category "decision", "setting"
class TraceJson {
 public:
  explicit TraceJson(const Plan& plan);

  const std::string& text() const { return text_; }
  void clear() { text_.clear(); }

  void begin();
  void add(const FlowEvent& event);
  // Levels of the pools of an output; nothing is written while they stay the same.
  void add_level(TimeNs now, std::size_t node, std::size_t output, std::size_t packets, std::size_t buffers);
  void add_lost(TimeNs now, std::uint64_t events);
  // The marks of a run that began at `start`, and the end of the document.
  void end(TimeNs start, const RunReport& report, std::uint64_t lost);

 private:
  struct Level {
    std::size_t packets = SIZE_MAX;
    std::size_t buffers = SIZE_MAX;
  };

  void start_event(char phase, TimeNs at);
  void add_slice(const FlowEvent& event);
  void add_async(const FlowEvent& event, std::string_view category, std::string_view suffix);
  void add_drop(const FlowEvent& event, bool in_thread);
  void add_credits(const FlowEvent& event);
  void add_mark(TimeNs at, std::string_view category, std::string_view name, std::string_view why);
  void add_args(const FlowEvent& event);
  void name_thread(const FlowEvent& event);
  std::string_view node_name(int node) const;
  std::string_view source_name(std::uint16_t source) const;

  const Plan& plan_;
  const int process_;
  std::string text_;
  bool first_ = true;
  std::uint64_t next_id_ = 1;                     // of asynchronous slices
  std::map<std::uint32_t, std::string> threads_;  // whose names are told
  std::vector<std::vector<Level>> levels_;        // by node and output, as told last
};

}  // namespace sluice
