#include "framework/graph/node_bodies.h"

#include <algorithm>
#include <utility>

#include "framework/core/allocation_scope.h"
#include "framework/core/guarded.h"
#include "framework/core/ticks.h"
#include "framework/graph/node_context.h"

namespace sluice {
namespace {

// Handles whose last reference may go, moved out under the core's lock and destroyed after it. Its first part
// needs no memory of its own: to let go must not fail when there is none.
constexpr std::size_t kTrash = 256;
thread_local boost::container::small_vector<Packet, kTrash> trash;

std::size_t total_slots(const FlowGraph& flow) {
  std::size_t slots = 0;
  for (const FlowSource& s : flow.sources) slots += static_cast<std::size_t>(s.slots);
  return slots;
}

DropReason reason_of(const Status& status) {
  switch (status.code()) {
    case Code::kPoolEmpty:
      return DropReason::kPoolEmpty;
    case Code::kTimeout:
      return DropReason::kTimeout;
    case Code::kCancelled:
      return DropReason::kCancelled;
    default:
      return DropReason::kFailed;
  }
}

}  // namespace

NodeBodies::NodeBodies(const Plan& plan, const FlowGraph& flow, std::vector<Node*> nodes, Pools& pools,
                       Clock& clock, OnFailure on_failure)
    : plan_(plan),
      flow_(flow),
      pools_(pools),
      clock_(clock),
      on_failure_(std::move(on_failure)),
      nodes_(plan.nodes.size()),
      mailboxes_(plan.edges.size()),
      routes_(plan.choices.size()),
      frame_routes_(total_slots(flow) * plan.choices.size()),
      latest_out_(plan.nodes.size()) {
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    nodes_[n].node = nodes[n];
    describe_node(n);
  }
  for (std::size_t n = 0; n < nodes_.size(); ++n) describe_inputs(nodes_[n], plan.nodes[n]);
  const std::size_t slots = total_slots(flow);
  lists_.resize(slots * lists_per_slot_);
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    for (std::size_t o = 0; o < nodes_[n].rules.size(); ++o) {
      for (Slot s = 0; s < slots; ++s) list(s, static_cast<int>(n), o).reserve(nodes_[n].rules[o].most);
    }
  }
  find_unread();
  for (std::size_t e = 0; e < plan.edges.size(); ++e) {
    if (!plan.edges[e].latest) continue;
    latest_out_[static_cast<std::size_t>(plan.edges[e].from_node)].push_back(static_cast<int>(e));
    nodes_[static_cast<std::size_t>(plan.edges[e].to_node)].latest_in.push_back(static_cast<int>(e));
  }
  snapshots_.resize(slots * plan.edges.size());
  for (std::size_t e = 0; e < plan.edges.size(); ++e) {
    if (plan.edges[e].latest) reserve_mailbox(e, slots);
  }
  frames_.resize(slots);
  runs_.resize(slots * flow.units.size());
  done_.resize(runs_.size());
  overtook_.resize(runs_.size());
  turned_away_.resize(runs_.size());
  for (Slot s = 0; s < slots; ++s) {
    for (std::size_t u = 0; u < flow.units.size(); ++u) {
      runs(s, static_cast<std::uint32_t>(u)).resize(flow.units[u].nodes.size());
    }
  }
}

void NodeBodies::describe_node(std::size_t node) {
  NodeState& state = nodes_[node];
  const NodePlan& plan = plan_.nodes[node];
  state.options = plan.options;
  state.choice = plan.choice;
  state.runs_alone = plan.concurrency == 1;
  state.takes_lists = plan.declaration->takes_lists;
  state.first_output = lists_per_slot_;
  for (std::size_t o = 0; o < plan.outputs.size(); ++o) state.rules.push_back(rule_of(plan, o));
  lists_per_slot_ += state.rules.size();
}

NodeBodies::OutputRule NodeBodies::rule_of(const NodePlan& plan, std::size_t output) {
  OutputRule rule;
  rule.most = static_cast<std::uint32_t>(plan.outputs[output].max_packets);
  if (plan.routes.empty() || output >= plan.routes[0].outputs.size()) return rule;
  rule.payload = plan.routes[0].outputs[output].payload;
  const auto& declared = plan.declaration->outputs;
  const bool passes_on = declared[std::min(output, declared.size() - 1)].kind == PortKind::kAny;
  rule.has_details =
      !passes_on && (rule.payload == payload_type<Tensor>() || rule.payload == payload_type<Image>());
  return rule;
}

// Once every node knows where its outputs lie.
void NodeBodies::describe_inputs(NodeState& state, const NodePlan& plan) {
  for (const std::vector<int>& port : plan.inputs) {
    state.ports.push_back(
        {static_cast<std::uint32_t>(state.inputs.size()), static_cast<std::uint32_t>(port.size())});
    for (const int e : port) {
      const PlanEdge& edge = plan_.edges[static_cast<std::size_t>(e)];
      const std::size_t output = nodes_[static_cast<std::size_t>(edge.from_node)].first_output +
                                 static_cast<std::size_t>(edge.from_output);
      state.inputs.push_back({edge.latest ? static_cast<std::size_t>(e) : output, edge.latest});
    }
  }
}

void NodeBodies::find_unread() {
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    for (std::size_t o = 0; o < plan_.nodes[n].outputs.size(); ++o) {
      const auto reads = [&](const PlanEdge& e) {
        return e.from_node == static_cast<int>(n) && e.from_output == static_cast<int>(o);
      };
      if (std::ranges::none_of(plan_.edges, reads)) nodes_[n].unread.push_back(o);
    }
  }
}

void NodeBodies::reserve_mailbox(std::size_t edge, std::size_t slots) {
  const PlanEdge& spec = plan_.edges[edge];
  const NodePlan& from = plan_.nodes[static_cast<std::size_t>(spec.from_node)];
  const auto most =
      static_cast<std::size_t>(from.outputs[static_cast<std::size_t>(spec.from_output)].max_packets);
  mailboxes_[edge].packets.reserve(most);
  for (std::size_t s = 0; s < slots; ++s) snapshots_[s * plan_.edges.size() + edge].reserve(most);
}

Outcome NodeBodies::run(std::uint32_t unit, Slot slot, const FrameInfo& frame) {
  OwnCode own;
  const FlowUnit& spec = flow_.units[unit];
  std::vector<NodeRun>& all = runs(slot, unit);
  std::size_t& done = done_[slot * flow_.units.size() + unit];
  ChainResult result;
  std::uint64_t ticks = read_ticks();
  std::size_t i = std::exchange(done, 0);
  for (; i < spec.nodes.size(); ++i) {
    all[i] = {};
    if (i > 0 && flow_.deadline > 0 && clock_.now() - frame.captured > flow_.deadline) {
      all[i].busy = -1;  // it did not start
      result = {Outcome::Kind::kDropped, DropReason::kStale, 0};
    } else {
      result = run_node(spec.nodes[i], slot, frame, all[i], ticks);
    }
    if (result.kind == Outcome::Kind::kRetry) {
      done = i;
      break;
    }
    if (i > 0) destroy_outputs(slot, spec.nodes[i - 1]);
    if (result.kind != Outcome::Kind::kData) break;
    destroy_unread(slot, spec.nodes[i]);
  }
  const bool all_ran = i == spec.nodes.size();
  if (!all_ran) destroy_outputs(slot, spec.nodes[i]);
  Outcome out;
  out.kind = result.kind;
  out.reason = result.reason;
  out.filtered_outputs = result.filtered_outputs;
  out.runs = std::span<const NodeRun>(all).first(all_ran ? i : i + 1);
  if (result.kind != Outcome::Kind::kRetry)
    turned_away_[slot * flow_.units.size() + unit] = result.filtered_outputs;
  return out;
}

NodeBodies::ChainResult NodeBodies::run_node(int index, Slot slot, const FrameInfo& frame, NodeRun& run,
                                             std::uint64_t& ticks) {
  NodeState& state = nodes_[static_cast<std::size_t>(index)];
  if (times_runs_) run.begin = clock_.now();
  const std::uint64_t begin = ticks;
  const bool reads_mailboxes = !state.latest_in.empty();
  if (reads_mailboxes) snapshot_mailboxes(state, slot);
  OptionsPtr held;
  NodeContext context(*this, state, slot, frame, options_for_run(index, held),
                      state.choice < 0 ? 0 : route_of(state.choice, slot));
  const Status status =
      context.run_elements([&] { return guarded([&] { return state.node->process(context); }); });
  if (reads_mailboxes) destroy_snapshots(state, slot);
  ticks = read_ticks();
  run.busy = ticks_to_ns(ticks - begin);
  if (times_runs_) {
    run.thread = this_thread();
    // What the report counts, unless the ticks run ahead of the clock: slices of a thread may not overlap.
    run.end = std::min(run.begin + run.busy, clock_.now());
  }
  run.packets = context.emitted();
  run.failed_items = context.failed_items();

  ChainResult result;
  result.filtered_outputs = context.filtered_outputs();
  if (!status.ok()) {
    const bool too_many = status.code() == Code::kPoolEmpty && context.holds_too_many();
    if (status.code() == Code::kPoolEmpty && flow_.lossless && !too_many)
      return {Outcome::Kind::kRetry, DropReason::kNone, 0};
    result.kind = Outcome::Kind::kDropped;
    result.reason = too_many ? DropReason::kTooMany : reason_of(status);
    if (status.code() != Code::kPoolEmpty) tell_failure(index, status, frame);
  } else if (context.dropped() != DropReason::kNone) {
    result.kind =
        context.dropped() == DropReason::kFiltered ? Outcome::Kind::kFiltered : Outcome::Kind::kDropped;
    result.reason = context.dropped();
  }
  return result;
}

// What is said of a failure may fail itself; the count is what matters.
void NodeBodies::tell_failure(int node, const Status& status, const FrameInfo& frame) noexcept {
  try {
    on_failure_(node, status, frame);
  } catch (const std::exception&) {
    return;
  }
}

// The newest snapshot, which survives a change while it is in use: a node with one run at a time keeps it
// itself, the others in `held`.
const Options& NodeBodies::options_for_run(int node, OptionsPtr& held) {
  NodeState& state = nodes_[static_cast<std::size_t>(node)];
  if (!state.runs_alone) return *(held = options(node));
  const std::uint64_t version = state.version.load(std::memory_order_acquire);
  if (version != state.current_version) {
    state.current = options(node);
    state.current_version = version;
  }
  return *state.current;
}

void NodeBodies::set_options(int node, OptionsPtr options) {
  NodeState& state = nodes_[static_cast<std::size_t>(node)];
  std::lock_guard lock(state.mutex);
  state.options = std::move(options);
  state.version.fetch_add(1, std::memory_order_release);
}

OptionsPtr NodeBodies::options(int node) const {
  const NodeState& state = nodes_[static_cast<std::size_t>(node)];
  std::lock_guard lock(state.mutex);
  return state.options;
}

void NodeBodies::set_route(int choice, std::size_t route) {
  routes_[static_cast<std::size_t>(choice)].store(static_cast<int>(route));
}

std::size_t NodeBodies::route(int choice) const {
  return static_cast<std::size_t>(routes_[static_cast<std::size_t>(choice)].load());
}

// Two branches may reach their first dependent node at once: the first to ask decides for both.
std::size_t NodeBodies::route_of(int choice, Slot slot) {
  std::atomic<int>& chosen = frame_routes_[slot * routes_.size() + static_cast<std::size_t>(choice)];
  int expected = -1;
  const int now = routes_[static_cast<std::size_t>(choice)].load(std::memory_order_relaxed);
  if (chosen.compare_exchange_strong(expected, now)) return static_cast<std::size_t>(now);
  return static_cast<std::size_t>(expected);
}

void NodeBodies::snapshot_mailboxes(const NodeState& node, Slot slot) {
  const TimeNs now = clock_.now();
  for (const int e : node.latest_in) {
    const PlanEdge& edge = plan_.edges[static_cast<std::size_t>(e)];
    PacketList& seen = snapshots_[slot * plan_.edges.size() + static_cast<std::size_t>(e)];
    seen.clear();
    Mailbox& box = mailboxes_[static_cast<std::size_t>(e)];
    std::lock_guard lock(box.mutex);
    if (!box.any || (edge.max_age > 0 && now - box.frame.captured > edge.max_age)) continue;
    seen.insert(seen.end(), box.packets.begin(), box.packets.end());
  }
}

void NodeBodies::publish(std::uint32_t unit, Slot slot) {
  const int node = flow_.units[unit].nodes.back();
  const FrameInfo& frame = frames_[slot];
  const std::uint64_t turned_away = turned_away_[slot * flow_.units.size() + unit];
  for (int e : latest_out_[static_cast<std::size_t>(node)]) {
    const int output = plan_.edges[static_cast<std::size_t>(e)].from_output;
    if ((turned_away >> output & 1) != 0) continue;  // an absence, while an empty list is data
    const PacketList& from = list(slot, node, static_cast<std::size_t>(output));
    Mailbox& box = mailboxes_[static_cast<std::size_t>(e)];
    std::lock_guard lock(box.mutex);
    if (box.any && box.frame.source == frame.source && box.frame.number > frame.number) continue;
    for (Packet& old : box.packets) trash.push_back(std::move(old));
    box.packets.assign(from.begin(), from.end());
    box.frame = frame;
    box.any = true;
  }
  sweep();
}

void NodeBodies::clear_mailboxes() {
  for (Mailbox& box : mailboxes_) {
    std::lock_guard lock(box.mutex);
    box.packets.clear();
    box.any = false;
  }
}

// Under the core's lock, where nothing may be destroyed.
void NodeBodies::release(std::uint32_t unit, Slot slot) {
  const int node = flow_.units[unit].nodes.back();
  auto& bin = trash;  // finding a thread's own variable has its price
  for (PacketList& list : outputs(slot, node)) {
    for (Packet& p : list) bin.push_back(std::move(p));
    list.clear();
  }
}

// Under the core's lock, before the unit runs.
void NodeBodies::starts(std::uint32_t unit, Slot slot, bool oldest) {
  overtook_[slot * flow_.units.size() + unit] = oldest ? 0 : 1;
}

void NodeBodies::destroy_outputs(Slot slot, int node) {
  for (PacketList& list : outputs(slot, node)) list.clear();
}

// Frames that wait for an older one to be delivered must not hold what that one needs to be made.
void NodeBodies::destroy_unread(Slot slot, int node) {
  for (const std::size_t o : nodes_[static_cast<std::size_t>(node)].unread) list(slot, node, o).clear();
}

void NodeBodies::destroy_snapshots(const NodeState& node, Slot slot) {
  for (const int e : node.latest_in)
    snapshots_[slot * plan_.edges.size() + static_cast<std::size_t>(e)].clear();
}

// One by one: a packet's end may wake a unit, whose end sweeps again.
void NodeBodies::sweep() {
  while (!trash.empty()) {
    const Packet last = std::move(trash.back());
    trash.pop_back();
  }
}

void NodeBodies::store_source(int source, Slot slot, Packet packet) {
  const int unit = flow_.sources[static_cast<std::size_t>(source)].unit;
  const int node = flow_.units[static_cast<std::size_t>(unit)].nodes[0];
  for (std::size_t c = 0; c < routes_.size(); ++c) frame_routes_[slot * routes_.size() + c].store(-1);
  frames_[slot] = packet.frame();
  list(slot, node, 0).push_back(std::move(packet));
  publish(static_cast<std::uint32_t>(unit), slot);
}

}  // namespace sluice
