// Selection: the selectors of all infer nodes of one run. It has no thread, clock or telemetry of its own: a
// real run calls it from a thread of its own once a second, a simulated one at each second of its time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "inference/inference.h"
#include "inference/selection/run_meter.h"
#include "inference/selection/shared_modes.h"
#include "inference/selector/selector.h"

namespace sluice {

// One infer node that the selector chooses for. Candidates that cannot be used say so in `unusable`, so that
// the decisions can.
struct SelectedNode {
  std::string id;
  std::vector<SelectorCandidate> candidates;  // 1..kMostCandidates
  SelectorPolicy policy;
  // Nodes of one group share their sessions, and with them the performance mode, which is the fastest that
  // one of them asks for; -1: its sessions are its own.
  int session_group = -1;
  // For nodes that choose nothing and run on its session of the model's own path too; empty: there are none.
  std::string least_mode;
};

// A node that goes on with another candidate, or at another step of its ladder, from the next frame on.
struct SelectionChange {
  std::size_t node = 0;  // index into the nodes
  int candidate = -1;    // into its candidates; -1: none may run
  int before = -1;       // what ran; -1: nothing yet
  int step = 0;
  TimeNs at = 0;       // as on_period was told
  double rate_hz = 0;  // most frames per second at this step; 0: no limit
  std::string reason;  // in words, with what the alternatives were predicted to give
};

// One thing that a Selection was told: all of them, in order, make another one decide the same to the bit.
struct SelectionEvent {
  enum class Kind : std::uint8_t {
    kPeriod,   // on_period
    kProbe,    // note_probe
    kFailure,  // note_failure
  } kind = Kind::kPeriod;
  TimeNs at = 0;                        // on the run's clock
  Readings readings;                    // kPeriod
  std::vector<RunMeter::Period> runs;   // kPeriod: by node
  std::size_t node = 0, candidate = 0;  // kProbe, kFailure
  double latency_ms = 0;                // kProbe
};

// Feeding (`meter`) is for any thread; everything else for one thread at a time.
class Selection {
 public:
  static constexpr TimeNs kPeriod = from_s(1);  // how often on_period is meant to be called

  explicit Selection(std::vector<SelectedNode> nodes);

  std::size_t nodes() const { return nodes_.size(); }
  const SelectedNode& node(std::size_t n) const { return nodes_[n].what; }
  const SelectorState& state(std::size_t n) const { return nodes_[n].state; }
  // The node's candidate now; -1 before the first period.
  int current(std::size_t n) const { return nodes_[n].state.current; }
  // Where the node's runs are told. Lives as long as this.
  RunMeter& meter(std::size_t n) { return *nodes_[n].meter; }

  // Ends a control period at `now` (on the run's clock, never before an earlier call's): takes in what the
  // meters and readings say and decides for each node. The first call makes the first choices. May be called
  // early, when a run failed. Allocates only when something changes; under 100 us per node.
  std::vector<SelectionChange> on_period(TimeNs now, const Readings& readings);

  // The candidate to measure now away from the frames, or -1: never the current one, never where it would
  // take more than the power budget, and while the node misses its rate or latency only what would end that.
  // What has failed and may be tried again goes first, but for what works and once was fast enough to be
  // worth the change.
  int probe_wanted(std::size_t n) const;
  // What a probe, or the opening of a candidate, gave.
  void note_probe(std::size_t n, std::size_t candidate, TimeNs now, double latency_ms);
  void note_failure(std::size_t n, std::size_t candidate, TimeNs now);

  // From now on `tape` gets every event once it is taken in, and what changed with it; in the thread that
  // calls.
  using Tape = std::function<void(const SelectionEvent&, std::span<const SelectionChange>)>;
  void record(Tape tape) { tape_ = std::move(tape); }
  // What the recorded call did, with what it was told instead of the meters. `runs` has one entry per node,
  // node and candidate exist.
  std::vector<SelectionChange> replay(const SelectionEvent& event);

  // The policy needs heat and no temperature has been seen so far: latency drift alone is used.
  bool blind(std::size_t n) const { return nodes_[n].blind; }

 private:
  struct Node {
    SelectedNode what;
    SelectorState state;
    std::unique_ptr<RunMeter> meter;
    int wanted = -1;  // what it would run on if its sessions were its own
    double fps = 0;   // of the last whole period
    double latency_ms = 0;
    bool blind = false;
  };

  void take_in(Node& node, const RunMeter::Period& period, TimeNs now, const Readings& readings) const;
  void share_units(std::size_t n);
  std::vector<SelectionChange> decide(const SelectionEvent& period);
  static void fail(Node& node, std::size_t candidate, TimeNs now);
  static void note_wanted(Node& node, const Decision& decision);
  int that_holds(std::size_t n);
  std::optional<SelectionChange> decide_for(std::size_t n, const SelectionEvent& period);
  std::optional<SelectionChange> follow_shared(std::size_t n, TimeNs now);
  SelectionChange carry_out(std::size_t n, const Decision& decision, std::string reason, TimeNs now);

  std::vector<Node> nodes_;
  std::vector<SessionUser> users_;  // of that_holds: kept, so that it does not allocate
  TimeNs last_ = kLongAgo;
  SelectionEvent period_;  // the latest one
  Tape tape_;
};

}  // namespace sluice
