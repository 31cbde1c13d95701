// What the selectors of a run were told and what they decided, as lines of JSON and back: the part of a
// recording (`run --record`) that makes its decisions again, bit for bit. Every line is an object with the
// one key `selection`; lines of readings (readings_trace.h) stand between them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/status.h"
#include "inference/selection/selection.h"

namespace sluice {

// The first line: on what the run ran ("real", "sim:qcs6490"), in which surroundings where that is simulated,
// and what its nodes chose among.
std::string selection_begin_line(std::string_view device, std::optional<double> ambient_c,
                                 std::span<const SelectedNode> nodes);
// The run's clock when the first frame could come; decisions before it are those of the start.
std::string selection_start_line(TimeNs at);
std::string selection_line(const SelectionEvent& event, std::span<const SelectionChange> changes);
// The last line. Without it the recording was cut.
std::string selection_end_line(std::uint64_t lost_lines);

struct RecordedSelection {
  struct Node {
    std::string id;
    std::string policy;  // as text, to compare
    std::vector<SelectorCandidate> candidates;
    int session_group = -1;  // as SelectedNode has it
    std::string least_mode;
  };
  struct Step {
    SelectionEvent event;
    std::string decisions;  // as text, to compare
  };
  std::string path;
  std::string device;
  std::optional<double> ambient_c;  // of a simulated device; none: its profile's
  std::vector<Node> nodes;
  TimeNs start = 0;              // on the recording's clock, as the events are
  std::size_t before_start = 0;  // so many of the steps came before it
  std::vector<Step> steps;
  bool cut = false;        // it ends where the recording run was ended by force
  std::uint64_t lost = 0;  // lines that the recording could not take
};

// As they stand in a recording.
std::string policy_text(const SelectorPolicy& policy);
std::string decisions_text(std::span<const SelectionChange> changes);

// `path`: a recording's readings.jsonl, or its folder. None: it has readings only. kInvalid with FILE:LINE: a
// line that is no JSON or has not what it must have, a time that goes back, a node or candidate that does not
// exist, a temperature, latency or power that cannot be (42000 degrees C).
Result<std::optional<RecordedSelection>> read_selection(const std::string& path);

// `path` itself, or the file of readings in it where it is a folder.
std::string recording_file(const std::string& path);

}  // namespace sluice
