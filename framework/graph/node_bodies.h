// Real nodes as bodies of the flow core's units: builds their Context, runs them element by element, catches
// what they throw, measures, and keeps their packets until the core says that nobody reads them any more.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include <boost/container/small_vector.hpp>

#include "framework/core/packet.h"
#include "framework/graph/executor.h"
#include "framework/graph/pools.h"
#include "framework/plan/plan.h"

namespace sluice {

using PacketList = std::vector<Packet>;

class NodeBodies final : public Bodies, public FlowStorage {
 public:
  // Told of each failure of a node, in the thread it happened in.
  using OnFailure = std::function<void(int node, const Status&, const FrameInfo&)>;

  // `nodes` are open, by plan index (null for sources). All arguments outlive this.
  NodeBodies(const Plan& plan, const FlowGraph& flow, std::vector<Node*> nodes, Pools& pools, Clock& clock,
             OnFailure on_failure);

  Outcome run(std::uint32_t unit, Slot slot, const FrameInfo& frame) override;
  void publish(std::uint32_t unit, Slot slot) override;
  void release(std::uint32_t unit, Slot slot) override;
  void starts(std::uint32_t unit, Slot slot, bool oldest) override;
  void sweep() override;

  // A source's packet becomes the output of its unit.
  void store_source(int source, Slot slot, Packet packet);
  // From the next frame that starts at the node on.
  void set_options(int node, OptionsPtr options);
  OptionsPtr options(int node) const;
  // Which route of `choice` (Plan::choices) frames take that are not routed yet. The choice is made once per
  // frame, when it reaches the first node that depends on it, and travels with it.
  void set_route(int choice, std::size_t route);
  std::size_t route(int choice) const;
  // Writes down when and in which thread each node runs, for an observer. Before the run.
  void time_runs() { times_runs_ = true; }
  // Empties all mailboxes (they would hold buffers of pools that are to go).
  void clear_mailboxes();

 private:
  class NodeContext;
  friend class NodeContext;

  // Newest data of a `latest` edge.
  struct Mailbox {
    std::mutex mutex;
    PacketList packets;
    FrameInfo frame;
    bool any = false;
  };
  // Where an edge's packets of a frame lie.
  struct InputList {
    std::size_t at = 0;   // into the slot's lists, or into its snapshots
    bool latest = false;  // which of the two
  };
  struct InputPort {
    std::uint32_t first = 0;  // of its edges, into `inputs`
    std::uint32_t edges = 0;
  };
  // What may be emitted on an output.
  struct OutputRule {
    std::uint32_t most = 1;                // packets
    bool has_details = false;              // the type says more than its payload: a tensor's shape, say
    const PayloadType* payload = nullptr;  // null: whatever came in
  };
  // What a run needs of the plan lies together: a chain of cheap nodes costs as much as the cache lines that
  // its nodes touch.
  struct NodeState {
    Node* node = nullptr;
    OptionsPtr current;  // the snapshot in use; touched by the node's own runs only
    std::uint64_t current_version = UINT64_MAX;
    std::atomic<std::uint64_t> version{0};
    int choice = -1;               // of Plan::choices, whose route its frames take; -1: it depends on none
    bool runs_alone = true;        // one run at a time
    bool takes_lists = true;       // its declaration's
    std::size_t first_output = 0;  // into a slot's lists
    std::vector<int> latest_in;    // edges
    boost::container::small_vector<OutputRule, 2> rules;  // by output
    boost::container::small_vector<InputPort, 2> ports;
    boost::container::small_vector<InputList, 2> inputs;
    std::vector<std::size_t> unread;  // outputs that nobody reads
    mutable std::mutex mutex;         // guards the pointer below
    OptionsPtr options;
    mutable std::mutex spare;  // one frame at a time takes what the oldest does not need
  };
  struct ChainResult {
    Outcome::Kind kind = Outcome::Kind::kData;
    DropReason reason = DropReason::kNone;
    std::uint64_t filtered_outputs = 0;
  };

  PacketList& list(Slot slot, int node, std::size_t output) {
    return lists_[slot * lists_per_slot_ + nodes_[static_cast<std::size_t>(node)].first_output + output];
  }
  std::vector<NodeRun>& runs(Slot slot, std::uint32_t unit) {
    return runs_[slot * flow_.units.size() + unit];
  }
  std::span<PacketList> outputs(Slot slot, int node) {
    const NodeState& state = nodes_[static_cast<std::size_t>(node)];
    return std::span(lists_).subspan(slot * lists_per_slot_ + state.first_output, state.rules.size());
  }
  std::size_t route_of(int choice, Slot slot);
  // `ticks`: in: the start of the node's time; out: its end, which is the start of the next one's in a chain
  // (a read of the counter costs up to 25 ns on virtual machines: one per node, not two).
  ChainResult run_node(int node, Slot slot, const FrameInfo& frame, NodeRun& run, std::uint64_t& ticks);
  void tell_failure(int node, const Status& status, const FrameInfo& frame) noexcept;
  void describe_node(std::size_t node);
  static OutputRule rule_of(const NodePlan& plan, std::size_t output);
  void describe_inputs(NodeState& state, const NodePlan& plan);
  void find_unread();
  void reserve_mailbox(std::size_t edge, std::size_t slots);
  const Options& options_for_run(int node, OptionsPtr& held);
  void snapshot_mailboxes(const NodeState& node, Slot slot);
  // With no lock held: a packet's end may wake a unit that waits for a pool.
  void destroy_outputs(Slot slot, int node);
  void destroy_unread(Slot slot, int node);
  void destroy_snapshots(const NodeState& node, Slot slot);

  const Plan& plan_;
  const FlowGraph& flow_;
  Pools& pools_;
  Clock& clock_;
  OnFailure on_failure_;
  bool times_runs_ = false;
  std::vector<NodeState> nodes_;
  std::vector<PacketList> lists_;
  std::size_t lists_per_slot_ = 0;
  std::vector<Mailbox> mailboxes_;          // by edge; used for latest ones
  std::vector<PacketList> snapshots_;       // [slot][edge]: what a latest port saw
  std::vector<FrameInfo> frames_;           // [slot]
  std::vector<std::vector<NodeRun>> runs_;  // [slot][unit]
  std::vector<std::size_t> done_;           // [slot][unit]: nodes of the chain that ran before a retry
  std::vector<char> overtook_;              // [slot][unit]: it is not the oldest there
  std::vector<std::uint64_t> turned_away_;  // [slot][unit]: bits of the outputs that the last run filtered
  std::vector<std::atomic<int>> routes_;    // by choice: of frames to come
  std::vector<std::atomic<int>> frame_routes_;  // [slot][choice]; -1: not chosen yet
  std::vector<std::vector<int>> latest_out_;    // by node: latest edges that leave it
};

}  // namespace sluice
