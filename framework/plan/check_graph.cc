// What must hold of the graph as a whole: no cycle, fitting kinds, an exact input from one source, every
// output used.
#include <algorithm>
#include <functional>
#include <queue>

#include "framework/core/suggest.h"
#include "framework/plan/draft.h"

namespace sluice::planning {
namespace {

// Kahn's algorithm, lowest index first: file order wherever the graph allows it.
void sort_nodes(Draft& d) {
  std::vector<int> waits(d.nodes.size());
  for (const Link& link : d.links) ++waits[static_cast<std::size_t>(link.to)];
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (std::size_t n = 0; n < waits.size(); ++n) {
    if (waits[n] == 0) ready.push(static_cast<int>(n));
  }
  while (!ready.empty()) {
    const int node = ready.top();
    ready.pop();
    d.order.push_back(node);
    for (const int l : d.draft(node).out) {
      const auto to = static_cast<std::size_t>(d.link(l).to);
      if (--waits[to] == 0) ready.push(static_cast<int>(to));
    }
  }
}

void report_cycle(Draft& d, std::vector<int> backwards) {
  std::vector<int> cycle(backwards.rbegin(), backwards.rend());
  std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
  std::vector<std::string> names;
  names.reserve(cycle.size() + 1);
  for (const int node : cycle) names.push_back(d.node(node).id);
  names.push_back(names.front());
  Mark mark = d.node(cycle.front()).mark;
  for (const int l : d.draft(cycle.front()).in) {
    if (d.link(l).from == cycle.back()) mark = d.link(l).spec->mark;
  }
  d.error(mark, "cycle: " + joined(names, " -> ") + "; a node cannot wait for what it leads to");
}

// Each node that could not be sorted has a predecessor that could not: walking back from it ends in a cycle.
void check_cycles(Draft& d) {
  enum { kNew, kOnPath, kSeen };
  std::vector<int> state(d.nodes.size(), kNew);
  for (const int node : d.order) state[static_cast<std::size_t>(node)] = kSeen;
  std::vector<bool> sorted(d.nodes.size());
  for (const int node : d.order) sorted[static_cast<std::size_t>(node)] = true;
  for (int start = 0; start < static_cast<int>(d.nodes.size()); ++start) {
    std::vector<int> path;
    int at = start;
    while (state[static_cast<std::size_t>(at)] == kNew) {
      state[static_cast<std::size_t>(at)] = kOnPath;
      path.push_back(at);
      for (const int l : d.draft(at).in) {
        if (sorted[static_cast<std::size_t>(d.link(l).from)]) continue;
        at = d.link(l).from;
        break;
      }
    }
    if (state[static_cast<std::size_t>(at)] == kOnPath) {
      report_cycle(d, {std::find(path.begin(), path.end(), at), path.end()});
    }
    for (const int node : path) state[static_cast<std::size_t>(node)] = kSeen;
  }
}

int dynamic_output(const NodeDeclaration& type) {
  for (std::size_t i = 0; i < type.outputs.size(); ++i) {
    if (type.outputs[i].dynamic) return static_cast<int>(i);
  }
  return 0;
}

int declared_output(Draft& d, const Link& link) {
  return link.from_port == kNamedByModel ? dynamic_output(d.type(link.from)) : link.from_port;
}

bool fits(PortKind kind, const PayloadType* payload, const PortDeclaration& input) {
  if (kind == PortKind::kAny || input.kind == PortKind::kAny) return true;
  if (input.kind == PortKind::kTensorSet) return kind == PortKind::kTensor;
  return kind == input.kind && payload == input.payload;
}

std::string kind_text(PortKind kind, const PayloadType* payload) {
  if (kind == PortKind::kCustom && payload) return in_quotes(payload->name);
  if (kind == PortKind::kAny) return "anything";
  const bool one = kind == PortKind::kFrame || kind == PortKind::kTensor;
  return (one ? "a " : "") + std::string(name_of(kind));
}

// Resolves `any` outputs to the kind of the first input and compares each link's ends.
void check_kinds(Draft& d) {
  for (const int n : d.order) {
    if (!d.draft(n).known) continue;
    DraftNode& node = d.draft(n);
    PortKind first = PortKind::kAny;
    const PayloadType* first_payload = nullptr;
    for (const int l : node.in) {
      const Link& link = d.link(l);
      const auto output = static_cast<std::size_t>(declared_output(d, link));
      const PortKind kind = d.draft(link.from).output_kinds[output];
      const PayloadType* payload = d.draft(link.from).output_payloads[output];
      const PortDeclaration& input = d.type(n).inputs[static_cast<std::size_t>(link.to_port)];
      if (!fits(kind, payload, input)) {
        d.error(link.spec->mark, d.owner(n) + ": input '" + input.name + "' takes " +
                                     kind_text(input.kind, input.payload) + ", but " +
                                     in_quotes(link.spec->from) + " is " + kind_text(kind, payload));
      }
      if (link.to_port == 0 && first == PortKind::kAny) {
        first = kind;
        first_payload = payload;
      }
    }
    for (const PortDeclaration& output : d.type(n).outputs) {
      const bool any = output.kind == PortKind::kAny;
      node.output_kinds.push_back(any ? first : output.kind);
      node.output_payloads.push_back(any ? first_payload : output.payload);
    }
  }
}

void list_sources(Draft& d) {
  for (int n = 0; n < static_cast<int>(d.nodes.size()); ++n) {
    if (!d.draft(n).known || !d.type(n).source) continue;
    d.node(n).source = static_cast<int>(d.plan->sources.size());
    SourcePlan source;
    source.node = n;
    d.plan->sources.push_back(source);
  }
}

// The source all exact inputs descend from (contract section 3 rule 3).
void check_one_source(Draft& d, int n) {
  int through = -1;
  for (const int l : d.draft(n).in) {
    const Link& link = d.link(l);
    const int source = d.node(link.from).source;
    if (link.spec->sync == Sync::kLatest || source < 0) continue;
    if (through < 0) {
      through = link.from;
      d.node(n).source = source;
    } else if (source != d.node(n).source) {
      const auto origin = [&](int s) {
        return "'" + d.node(d.plan->sources[static_cast<std::size_t>(s)].node).id + "'";
      };
      d.error(link.spec->mark, d.owner(n) + ": its exact inputs come from two sources, " +
                                   origin(d.node(n).source) + " (through '" + d.node(through).id + "') and " +
                                   origin(source) + " (through '" + d.node(link.from).id +
                                   "'), whose frames have nothing in common; make one 'sync: latest'");
      return;
    }
  }
}

bool report_missing_inputs(Draft& d, int n) {
  const auto& inputs = d.type(n).inputs;
  bool missing = false;
  for (std::size_t p = 0; p < inputs.size(); ++p) {
    const bool connected = std::any_of(d.draft(n).in.begin(), d.draft(n).in.end(),
                                       [&](int l) { return d.link(l).to_port == static_cast<int>(p); });
    if (connected || inputs[p].optional) continue;
    d.error(d.node(n).mark, d.owner(n) + ": input '" + inputs[p].name + "' (" +
                                kind_text(inputs[p].kind, inputs[p].payload) + ") is missing");
    missing = true;
  }
  return missing;
}

void check_inputs(Draft& d, int n) {
  if (d.type(n).source || d.draft(n).wrong_inputs || report_missing_inputs(d, n)) return;
  const auto& in = d.draft(n).in;
  if (in.empty()) {
    d.error(d.node(n).mark, d.owner(n) + ": it has no input, so nothing would ever start it");
  } else if (std::all_of(in.begin(), in.end(),
                         [&](int l) { return d.link(l).spec->sync == Sync::kLatest; })) {
    d.error(d.node(n).mark,
            d.owner(n) +
                ": all its inputs are 'sync: latest', so nothing would ever start it; one must be exact");
  }
}

void check_used(Draft& d, int n) {
  if (d.draft(n).mentioned || is_end(d.type(n))) return;
  d.error(d.node(n).mark, d.owner(n) + ": nobody uses its outputs, and a '" + d.type(n).type +
                              "' is no sink; connect it or remove it");
}

}  // namespace

void check_graph(Draft& d) {
  sort_nodes(d);
  if (d.order.size() < d.nodes.size()) check_cycles(d);
  check_kinds(d);
  list_sources(d);
  for (const int n : d.order) {
    if (d.draft(n).known && !d.type(n).source) check_one_source(d, n);
  }
  for (int n = 0; n < static_cast<int>(d.nodes.size()); ++n) {
    if (!d.draft(n).known) continue;
    check_inputs(d, n);
    check_used(d, n);
  }
}

}  // namespace sluice::planning
