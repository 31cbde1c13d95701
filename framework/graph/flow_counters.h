// The flow core's books: what became of each frame, per node, sink and source (contract section 3 rule 4).
#pragma once

#include <cstdint>
#include <vector>

#include "framework/core/clock.h"
#include "framework/core/frame.h"
#include "framework/core/histogram.h"

namespace sluice {

struct NodeCounters {
  std::uint64_t in = 0;
  std::uint64_t processed = 0;
  std::uint64_t filtered = 0;
  DropCounts dropped{};
  std::uint64_t packets_out = 0;
  std::uint64_t failed_items = 0;
  Histogram busy;
  Histogram wait;
};

struct SinkCounters {
  std::uint64_t due = 0;
  std::uint64_t delivered = 0;
  std::uint64_t filtered = 0;
  DropCounts dropped{};
  TimeNs first_delivery = 0;
  TimeNs last_delivery = 0;
  Histogram latency;
};

struct SourceCounters {
  std::uint64_t produced = 0;
  std::uint64_t delivered = 0;
  DropCounts dropped{};  // kFiltered included
  std::uint64_t corrupt = 0;
  std::uint64_t in_flight() const;
};

struct FlowCounters {
  std::vector<NodeCounters> nodes;
  std::vector<SinkCounters> sinks;
  std::vector<SourceCounters> sources;
  Histogram latency;
  Histogram after_source;
  std::uint64_t delivered = 0;
  TimeNs first_delivery = 0;
  TimeNs last_delivery = 0;
};

}  // namespace sluice
