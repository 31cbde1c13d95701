// In-place writing and pool sizes.
//
// A pool has as many packets as can be alive at once. A list of an output is alive while its node makes it,
// while it waits at a reader, while a reader works on it, and in the mailboxes of `latest` readers. So, in
// lists of at most `max_packets`:
//
//   alive = min(frames, made + sum over exact readers (capacity + concurrency) + 1) + sum over mailboxes (1 +
//   concurrency)
//
// frames: all frames there can be: the credits of the source, one more that a source holds while it asks for
// a credit, and in realtime what branches without a sink hold of frames that gave their credit back. The
// second term of the minimum (made: the node's own concurrency; 1: a packet handed over while the oldest is
// dropped) counts only where each exact reader has a bounded inbox of its own (one exact input: no join to
// wait in) and keeps the packet to itself, and, in realtime, takes frames as they come out of a parallel
// node: those that overtook another wait for it without limit. A frame's packets of one node are given back
// together, when the last of their readers is done: the readers of the node's other outputs count in the same
// way. What nobody reads is given back at once. A node that passes on what it found in a mailbox keeps a
// packet for each of its own frames, which may be of another source.
//
// In lossless an inbox may hold as many frames as there are credits, but a source needs no picture for each
// of them: where one such reader is all there is, one may wait, and the source waits for the second as it
// would for a credit. It cannot wait in vain: the reader needs no newer picture to let the oldest go. The
// same holds for a tensor of a node that takes frames in order, because then older frames alone hold what it
// waits for: one for each run of the reader and the one that the node makes, which lies in the inbox at once.
// A parallel node has one for each frame: a frame that overtook another holds its packet until that one
// comes, for which one is left while it runs (flow_pools.cc), whatever an application keeps. So has a node of
// lists, which would take the part of a list that is free and give it back, again and again.
#include <algorithm>

#include "framework/core/buffer.h"
#include "framework/plan/draft.h"

namespace sluice::planning {
namespace {

constexpr int kWaitingPictures = 1;  // more make nothing faster: measured with face_fast

class PoolSizer {
 public:
  explicit PoolSizer(Draft& draft) : d_(draft), p_(*draft.plan), leads_to_due_(leads_to_due(p_)) {
    out_.resize(p_.nodes.size());
    in_place_.resize(p_.nodes.size(), -1);
    for (std::size_t e = 0; e < p_.edges.size(); ++e) {
      out_[static_cast<std::size_t>(p_.edges[e].from_node)].push_back(static_cast<int>(e));
    }
    for (int s = 0; s < static_cast<int>(p_.sources.size()); ++s) frames_.push_back(frames_of(s));
  }

  void run() {
    for (const int n : topological(p_)) decide_editing(n);
    for (int n = 0; n < static_cast<int>(p_.nodes.size()); ++n) {
      for (std::size_t o = 0; o < d_.node(n).outputs.size(); ++o) size_output(n, static_cast<int>(o));
    }
  }

 private:
  const UnitPlan& unit_of(int n) const {
    return p_.units[static_cast<std::size_t>(p_.nodes[static_cast<std::size_t>(n)].unit)];
  }

  const PayloadType* payload(int n, int output) {
    return d_.node(n).routes[0].outputs[static_cast<std::size_t>(output)].payload;
  }

  // Outputs that carry on what came in at `port`: `any` outputs, and that of a node that edits in place.
  std::vector<int> carried_on(int n, int port, bool through_editors) {
    std::vector<int> out;
    const auto& declared = d_.type(n).outputs;
    for (std::size_t o = 0; o < declared.size(); ++o) {
      if (port == 0 && declared[o].kind == PortKind::kAny) out.push_back(static_cast<int>(o));
    }
    const bool edits = d_.type(n).inputs[static_cast<std::size_t>(port)].writes_in_place;
    if (through_editors && edits && in_place_[static_cast<std::size_t>(n)] >= 0) {
      out.push_back(in_place_[static_cast<std::size_t>(n)]);
    }
    return out;
  }

  // An edge over which a packet is read.
  struct Reader {
    int edge;
    bool behind_mailbox;  // a node on the way took the packet from a mailbox: for a frame of its own
  };

  // All readers of an output, also behind nodes that pass it on.
  std::vector<Reader> readers(int n, int output, bool through_editors) {
    struct Open {
      int node, port;
      bool behind_mailbox;
    };
    std::vector<Reader> found;
    std::vector<Open> open{{n, output, false}};
    while (!open.empty()) {
      const Open at = open.back();
      open.pop_back();
      for (const int e : out_[static_cast<std::size_t>(at.node)]) {
        const PlanEdge& edge = d_.edge(e);
        if (edge.from_output != at.port) continue;
        found.push_back({e, at.behind_mailbox});
        for (const int next : carried_on(edge.to_node, edge.to_port, through_editors))
          open.push_back({edge.to_node, next, at.behind_mailbox || edge.latest});
      }
    }
    return found;
  }

  // ---- in-place writing ----

  std::vector<bool> exact_ancestors(int n) {
    std::vector<bool> seen(p_.nodes.size());
    std::vector<int> open{n};
    while (!open.empty()) {
      const int at = open.back();
      open.pop_back();
      for (const int e : exact_inputs(p_, at)) {
        const int from = d_.edge(e).from_node;
        if (seen[static_cast<std::size_t>(from)]) continue;
        seen[static_cast<std::size_t>(from)] = true;
        open.push_back(from);
      }
    }
    return seen;
  }

  // Why `n` may not write into the packet that comes over `edge`; empty: it is the last to see it.
  std::string reason_to_copy(int n, int edge) {
    int from = d_.edge(edge).from_node, output = d_.edge(edge).from_output;
    if (d_.edge(edge).latest) return "it stays in a mailbox";
    while (d_.type(from).outputs[declared_index(from, output)].kind == PortKind::kAny &&
           !d_.node(from).inputs.empty() && !d_.node(from).inputs[0].empty()) {
      const PlanEdge& before = d_.edge(d_.node(from).inputs[0][0]);
      if (before.latest) return "it stays in a mailbox";
      from = before.from_node;
      output = before.from_output;
    }
    if (d_.type(from).outputs[declared_index(from, output)].read_only)
      return "'" + d_.node(from).id + "' still reads it";
    const std::vector<bool> before = exact_ancestors(n);
    for (const Reader& reader : readers(from, output, false)) {
      const PlanEdge& other = d_.edge(reader.edge);
      const bool done_by_then =
          !other.latest && other.to_node != n && before[static_cast<std::size_t>(other.to_node)];
      if (reader.edge != edge && !done_by_then) return "'" + d_.node(other.to_node).id + "' reads it too";
    }
    return {};
  }

  std::size_t declared_index(int n, int output) {
    return std::min(static_cast<std::size_t>(output), d_.type(n).outputs.size() - 1);
  }

  void decide_editing(int n) {
    const auto& ports = d_.type(n).inputs;
    for (std::size_t p = 0; p < ports.size(); ++p) {
      if (!ports[p].writes_in_place || d_.node(n).inputs[p].empty() || d_.node(n).outputs.empty()) continue;
      const int edge = d_.node(n).inputs[p].front();
      int output = 0;
      for (int o = static_cast<int>(d_.node(n).outputs.size()) - 1; o >= 0; --o) {
        if (payload(n, o) == d_.node(n).routes[0].inputs[p].front().payload) output = o;
      }
      d_.node(n).outputs[static_cast<std::size_t>(output)].edited_input = static_cast<int>(p);
      const std::string reason = reason_to_copy(n, edge);
      if (reason.empty()) {
        in_place_[static_cast<std::size_t>(n)] = output;
        continue;
      }
      d_.node(n).outputs[static_cast<std::size_t>(output)].pooled_copy_for_edit = true;
      d_.say("'" + d_.node(n).id + "' edits a copy of the " + ports[p].name + " from '" +
             d_.node(d_.edge(edge).from_node).id + "': " + reason);
    }
  }

  // ---- sizes ----

  int frames_of(int s) {
    int frames = p_.sources[static_cast<std::size_t>(s)].credits;
    if (p_.lossless) return frames;
    for (const UnitPlan& unit : p_.units) {
      const bool without_credit =
          unit.source == s && !leads_to_due_[static_cast<std::size_t>(unit.nodes.front())];
      if (without_credit) frames += unit.capacity + unit.concurrency + unit.may_overtake;
    }
    return frames;
  }

  // Takes a packet into a bounded inbox and lets it go when it is done.
  bool keeps_to_itself(const PlanEdge& e) {
    const NodePlan& node = d_.node(e.to_node);
    const bool joins = exact_inputs(p_, unit_of(e.to_node).nodes.front()).size() != 1;
    if (joins || unit_of(e.to_node).capacity == 0) return false;
    const PayloadType* own = payload(e.from_node, e.from_output);
    const auto& outputs = node.routes[0].outputs;
    return node.declaration->infers ||
           std::none_of(outputs.begin(), outputs.end(), [&](const PortType& t) { return t.payload == own; });
  }

  // In realtime frames that overtook another inside a parallel node wait for it in front of a reader that
  // takes them in order, before they reach its inbox. In lossless the inbox counts them already.
  bool waits_for_overtaken(int n, const PlanEdge& e) {
    return !p_.lossless && d_.node(n).concurrency > 1 && d_.node(e.to_node).concurrency == 1;
  }

  // An empty pool holds the node up until the output's only reader has gone on.
  bool throttles(int n, int output, std::size_t exact_readers) {
    if (!p_.lossless || exact_readers != 1) return false;
    if (d_.type(n).source) return true;
    const auto at = static_cast<std::size_t>(output);
    const bool tensor = d_.node(n).routes[0].outputs[at].tensor != nullptr;
    return tensor && d_.type(n).serial && d_.node(n).outputs[at].max_packets == 1;
  }

  // Packets that the mailbox of a `latest` reader keeps: one, and one in each run of the reader; one more for
  // each frame in which the reader passes on what it found there.
  int held_from_mailbox(const PlanEdge& e) {
    const NodePlan& reader = d_.node(e.to_node);
    const bool passes_on = !carried_on(e.to_node, e.to_port, true).empty();
    return 1 + reader.concurrency + (passes_on ? frames_[static_cast<std::size_t>(reader.source)] : 0);
  }

  int alive(int n, int output) {
    const int frames = frames_[static_cast<std::size_t>(d_.node(n).source)] + (d_.type(n).source ? 1 : 0);
    const std::vector<Reader> all = readers(n, output, true);
    std::vector<int> exact_edges;
    int mailboxes = 0;
    for (const auto& [edge, behind_mailbox] : all) {
      if (d_.edge(edge).latest) {
        mailboxes += held_from_mailbox(d_.edge(edge));
      } else if (!behind_mailbox) {
        exact_edges.push_back(edge);
      }
    }
    const std::size_t exact_readers = exact_edges.size();
    for (const int e : all.empty() ? std::vector<int>{} : out_[static_cast<std::size_t>(n)]) {
      if (!d_.edge(e).latest && d_.edge(e).from_output != output) exact_edges.push_back(e);
    }
    const bool source = d_.type(n).source;
    const bool waits = throttles(n, output, exact_readers);
    int exact = d_.node(n).concurrency + (waits && !source ? 0 : 1);
    for (const int i : exact_edges) {
      const PlanEdge& e = d_.edge(i);
      const bool bounded = keeps_to_itself(e) && !waits_for_overtaken(n, e);
      int may_wait = unit_of(e.to_node).capacity;
      if (waits) may_wait = source ? std::min(may_wait, kWaitingPictures) : 0;
      exact += bounded ? may_wait + d_.node(e.to_node).concurrency : frames;
    }
    return std::min(frames, exact) + mailboxes;
  }

  void size_output(int n, int output) {
    NodePlan& node = d_.node(n);
    OutputPlan& plan = node.outputs[static_cast<std::size_t>(output)];
    const bool passes_on = d_.type(n).outputs[declared_index(n, output)].kind == PortKind::kAny;
    if (passes_on || in_place_[static_cast<std::size_t>(n)] == output) return;
    const int frames = alive(n, output);
    const std::int64_t packets = static_cast<std::int64_t>(frames) * plan.max_packets;
    if (packets > static_cast<std::int64_t>(kMostInPool)) return refuse(n, plan, frames);
    plan.buffers = static_cast<int>(packets);
    for (const NodeRoute& route : node.routes) {
      const auto& tensor = route.outputs[static_cast<std::size_t>(output)].tensor;
      if (!tensor) continue;
      const auto bytes = byte_size(tensor->dtype, tensor->shape);
      if (bytes.ok()) plan.buffer_bytes = std::max(plan.buffer_bytes, *bytes);
    }
    p_.planned_bytes += plan.buffer_bytes * static_cast<std::size_t>(plan.buffers);
  }

  void refuse(int n, const OutputPlan& output, int frames) {
    d_.error(d_.node(n).mark, d_.owner(n) + ": output '" + output.name + "' needs " + std::to_string(frames) +
                                  " lists of " + std::to_string(output.max_packets) +
                                  " packets at once, allowed: " + std::to_string(kMostInPool) +
                                  " packets; lower flow.max_in_flight, or how long its lists may be");
  }

  Draft& d_;
  Plan& p_;
  std::vector<bool> leads_to_due_;
  std::vector<std::vector<int>> out_;  // by node: edges out of it
  std::vector<int> in_place_;          // by node: the output that is the edited input itself; -1: none
  std::vector<int> frames_;            // by source
};

}  // namespace

void size_pools(Draft& d) { PoolSizer(d).run(); }

}  // namespace sluice::planning
