#include "tests/framework/graph/random_pipeline.h"

#include <algorithm>
#include <random>
#include <stdexcept>

namespace sluice::testing {
namespace {

// How a type's nodes run, as the last letter of its name: worker, parallel, own thread, chained.
constexpr char kHow[] = {'w', 'p', 'o', 'c'};
constexpr int kMostItems = 3;

template <typename Describe>
void add(Registry& registry, const std::string& family, char how, Describe describe) {
  NodeDeclaration d;
  d.type = family + "_" + how;
  d.serial = how != 'p';
  d.cheap = how == 'c';
  if (how == 'o') d.thread = ThreadKind::kOwn;
  describe(d);
  const Status added = registry.add(std::move(d));
  if (!added.ok()) throw std::logic_error(added.message());
}

// The types of a maker's outputs: small tensors and, between them, pictures.
Result<std::vector<PortType>> maker_types(int outputs) {
  std::vector<PortType> out(static_cast<std::size_t>(outputs));
  for (std::size_t o = 0; o < out.size(); ++o) {
    out[o].kind = o % 2 ? PortKind::kFrame : PortKind::kTensor;
    out[o].name = "o" + std::to_string(o);
    if (out[o].kind == PortKind::kFrame) continue;
    auto tensor = std::make_shared<TensorType>();
    tensor->name = out[o].name;
    tensor->shape = {1, 4};
    out[o].tensor = std::move(tensor);
  }
  return out;
}

void add_makers(Registry& r, char how) {
  for (int outputs = 1; outputs <= 4; ++outputs) {
    add(r, "make" + std::to_string(outputs), how, [&](NodeDeclaration& d) {
      d.input("in", PortKind::kAny);
      for (int o = 0; o < outputs; ++o)
        d.output("o" + std::to_string(o), o % 2 ? PortKind::kFrame : PortKind::kTensor);
      d.infer_types = [outputs](const TypeContext&) { return maker_types(outputs); };
    });
  }
  add(r, "join", how, [](NodeDeclaration& d) {
    d.input("in", PortKind::kAny);
    d.input("more", PortKind::kAny).may_be_absent();
    d.output("o0", PortKind::kDetections);
    d.output("o1", PortKind::kFrame);
  });
  add(r, "many", how, [](NodeDeclaration& d) {
    d.input("in", PortKind::kAny);
    d.output("o0", PortKind::kDetections).up_to(kMostItems);
    d.output("o1", PortKind::kFrame);
    d.takes_lists = true;
  });
  add(r, "infer", how, [](NodeDeclaration& d) {
    d.input("in", PortKind::kAny);
    d.output("o0", PortKind::kDetections);
    d.output("o1", PortKind::kDetections);
    d.option("concurrency", 1).range(1, 4);
    d.infers = true;
    d.serial = false;
    d.cheap = false;
  });
}

void add_passers(Registry& r, char how) {
  add(r, "pass", how, [](NodeDeclaration& d) {
    d.input("in", PortKind::kAny);
    d.output("o0", PortKind::kAny);
  });
  add(r, "filter", how, [](NodeDeclaration& d) {
    d.input("in", PortKind::kAny);
    d.output("o0", PortKind::kAny);
    d.filters = true;
  });
  add(r, "switch", how, [](NodeDeclaration& d) {
    d.input("in", PortKind::kAny);
    d.output("o0", PortKind::kAny);
    d.output("o1", PortKind::kAny);
    d.filters = true;
  });
  add(r, "carry", how, [](NodeDeclaration& d) {
    d.input("in", PortKind::kAny);
    d.input("more", PortKind::kAny).may_be_absent();
    d.output("o0", PortKind::kAny);
    d.output("o1", PortKind::kDetections);
  });
  add(r, "edit", how, [](NodeDeclaration& d) {
    d.input("in", PortKind::kFrame).edits();
    d.input("more", PortKind::kAny).may_be_absent();
    d.output("o0", PortKind::kFrame);
    d.output("o1", PortKind::kDetections);
  });
}

const Registry& registry() {
  static const Registry kRegistry = [] {
    Registry r;
    for (const char how : {'o', 'd'}) {
      add(r, "source", how, [&](NodeDeclaration& d) {
        d.source = true;
        d.thread = ThreadKind::kOwn;
        PortDeclaration& out = d.output("o0", PortKind::kFrame);
        if (how == 'd') out.shared_read_only();
      });
    }
    for (const char how : kHow) {
      add_makers(r, how);
      add_passers(r, how);
      add(r, "sink", how, [](NodeDeclaration& d) { d.sink = true, d.input("in", PortKind::kAny); });
      add(r, "view", how, [](NodeDeclaration& d) { d.observer = true, d.input("in", PortKind::kAny); });
    }
    return r;
  }();
  return kRegistry;
}

// Writes the file, node by node; each reads what is there already.
class Writer {
 public:
  explicit Writer(std::uint64_t seed) : random_(seed), lossless_(seed % 2 == 1) {}

  std::string write() {
    const int sources = 1 + (chance(4) ? 1 : 0);
    for (int s = 0; s < sources; ++s) add_source(s);
    for (int n = 2 + below(7); n > 0; --n) add_node();
    end_branches();
    std::string flow = lossless_ ? "flow: {mode: lossless" : "flow: {mode: realtime";
    if (lossless_ && !chance(3)) flow += ", max_in_flight: " + std::to_string(1 + below(16));
    return "version: 1\nname: random\nnodes:\n" + nodes_ + flow + "}\n";
  }
  int cores() { return 1 + below(8); }

 private:
  struct Output {
    int node;
    std::string name;
    int source;
    bool frame;
    bool read = false;
  };

  int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  bool chance(int one_in) { return below(one_in) == 0; }

  void open(const std::string& type) {
    id_ = "n" + std::to_string(count_++);
    nodes_ += "  - {id: " + id_ + ", type: " + type;
  }
  void add_source(int s) {
    open(chance(3) ? "source_d" : "source_o");
    nodes_ += "}\n";
    outputs_.push_back({count_, id_, s, true});
  }

  // One of the outputs there are; the newest are likelier, so that pipelines grow long.
  template <typename Wanted>
  Output* choose(Wanted wanted) {
    std::vector<Output*> found;
    for (Output& o : outputs_) {
      if (wanted(o)) found.push_back(&o);
    }
    if (found.empty()) return nullptr;
    const int last = static_cast<int>(found.size()) - 1;
    return found[static_cast<std::size_t>(chance(2) ? below(last + 1) : std::max(0, last - below(3)))];
  }

  std::string edge(Output& from, bool latest) {
    from.read = true;
    if (latest) return "{from: " + from.name + ", sync: latest}";
    std::string more;
    if (chance(3)) more = ", capacity: " + std::to_string(1 + below(3));
    if (!more.empty() && !lossless_)
      more += chance(2) ? ", when_full: drop_newest" : ", when_full: drop_oldest";
    return "{from: " + from.name + more + "}";
  }

  void add_node() {
    static const std::vector<std::string> kFamilies = {"make1",  "make1", "make2", "make3", "make4", "join",
                                                       "join",   "many",  "infer", "infer", "pass",  "filter",
                                                       "switch", "carry", "edit",  "edit"};
    const std::string& family =
        kFamilies[static_cast<std::size_t>(below(static_cast<int>(kFamilies.size())))];
    const bool wants_frame = family == "edit";
    Output* first = choose([&](const Output& o) { return o.frame || !wants_frame; });
    const int source = first->source;
    const bool frame_in = first->frame;
    const bool takes_more = family == "join" || family == "carry" || family == "edit";
    const bool first_latest = family == "carry" && chance(3);
    // What drives a node whose first input is a mailbox is its second.
    Output* second = nullptr;
    bool second_latest = false;
    if (takes_more && (first_latest || !chance(3))) {
      second_latest = !first_latest && chance(2);
      second = choose([&](const Output& o) { return first_latest || second_latest || o.source == source; });
    }
    open(family + "_" + kHow[below(4)]);
    nodes_ += ", inputs: {in: " + edge(*first, first_latest);
    if (second) nodes_ += ", more: " + edge(*second, second_latest);
    nodes_ += "}";
    if (family == "infer") nodes_ += ", options: {concurrency: " + std::to_string(1 + below(4)) + "}";
    nodes_ += "}\n";
    add_outputs(family, first_latest ? second->source : source, frame_in);
  }

  void add_outputs(const std::string& family, int source, bool frame_in) {
    const bool passes = family == "pass" || family == "filter" || family == "switch" || family == "carry";
    const bool one = family == "pass" || family == "filter";
    const int count = family.rfind("make", 0) == 0 ? family.back() - '0' : one ? 1 : 2;
    for (int o = 0; o < count; ++o) {
      bool frame = o % 2 == 1 && family != "infer";
      if (passes) frame = frame_in && !(family == "carry" && o == 1);
      if (family == "edit") frame = o == 0;
      outputs_.push_back({count_, id_ + ".o" + std::to_string(o), source, frame});
    }
  }

  // A node must be of some use: of those whose outputs nobody reads the last output goes to an end.
  void end_branches() {
    bool used = false;
    for (std::size_t o = 0; o < outputs_.size(); ++o) {
      const bool last = o + 1 == outputs_.size() || outputs_[o + 1].node != outputs_[o].node;
      const bool ends = outputs_[o].read ? chance(8) : chance(2);
      used = used || ends || outputs_[o].read;
      if (ends || (last && !used)) end(outputs_[o]);
      if (last) used = false;
    }
  }
  void end(Output& output) {
    open((chance(6) ? std::string("view_") : std::string("sink_")) + kHow[chance(2) ? 2 : below(4)]);
    nodes_ += ", inputs: {in: " + edge(output, false) + "}}\n";
  }

  std::mt19937_64 random_;
  const bool lossless_;
  int count_ = 0;
  std::string id_, nodes_;
  std::vector<Output> outputs_;
};

class RandomNode final : public Node {
 public:
  RandomNode(const Plan& plan, std::size_t index, Complaints& complaints)
      : plan_(plan), node_(plan.nodes[index]), index_(index), complaints_(complaints) {}

  Status process(Context& context) override {
    check_inputs(context);
    const std::uint64_t dice = mixed(index_, context.frame().number);
    if (node_.declaration->filters && node_.outputs.size() == 1 && dice % 4 == 0) {
      context.filter();
      return {};
    }
    const std::size_t count = node_.outputs.size();
    const std::size_t turned_away =
        node_.declaration->filters && count == 2 ? (dice / 7) % 3 : count;  // of a switch; 2: none
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t o = (i + dice) % count;
      if (o == turned_away) {
        context.filter_port(o);
        continue;
      }
      SLUICE_RETURN_IF_ERROR(fill(context, o, dice));
    }
    return {};
  }

 private:
  void check_inputs(Context& context) {
    for (std::size_t port = 0; port < node_.inputs.size(); ++port) {
      for (std::size_t e = 0; e < node_.inputs[port].size(); ++e) {
        if (plan_.edges[static_cast<std::size_t>(node_.inputs[port][e])].latest) continue;
        if (context.packets(port, e).empty()) complain(context, "got an empty list");
      }
    }
  }

  void complain(Context& context, const std::string& what) {
    complaints_.add("'" + node_.id + "' " + what + " for frame " + std::to_string(context.frame().number));
  }

  Status fill(Context& context, std::size_t o, std::uint64_t dice) {
    const PortDeclaration& port = node_.declaration->outputs[o];
    if (port.kind == PortKind::kAny) {
      context.emit(o, context.packet(0));  // of an empty mailbox: an empty packet
      return {};
    }
    const std::uint64_t items =
        port.max_packets > 1 ? 1 + dice % static_cast<std::uint64_t>(port.max_packets) : 1;
    for (std::uint64_t i = 0; i < items; ++i) {
      SLUICE_ASSIGN(Packet packet, make(context, o));
      context.emit(o, std::move(packet));
    }
    return {};
  }

  Result<Packet> make(Context& context, std::size_t o) {
    if (node_.outputs[o].edited_input >= 0) {
      if (!context.packet(0)) return Packet();  // that of a mailbox before its first packet
      return context.take_for_edit(0);
    }
    if (node_.declaration->outputs[o].kind != PortKind::kFrame) return context.make(o);
    return context.make_image(o, {PixelFormat::kGray, 16, 16, {}, 0});
  }

  const Plan& plan_;
  const NodePlan& node_;
  const std::size_t index_;
  Complaints& complaints_;
};

}  // namespace

std::uint64_t mixed(std::uint64_t a, std::uint64_t b) {
  std::uint64_t x = (a + 1) * 0x9E3779B97F4A7C15U + (b + 1) * 0xC2B2AE3D27D4EB4FU;
  x = (x ^ (x >> 31)) * 0xD6E8FEB86659FD93U;
  return x ^ (x >> 32);
}

RandomPipeline planned(const std::string& text, int cores) {
  const ParsedSpec spec = parse_spec_text(text, "random.yaml", "dir");
  PlanInputs inputs;
  inputs.registry = &registry();
  inputs.ask_source = [](const std::string&, const Options&) { return SourceTraits{}; };
  inputs.cores = cores;
  const PlanResult result = make_plan(spec.spec, inputs);
  if (!result.plan)
    throw std::logic_error((result.issues.empty() ? "no plan" : result.issues.front().message) + "\n" + text);
  return {text, result.plan};
}

RandomPipeline random_pipeline(std::uint64_t seed) {
  Writer writer(seed);
  const std::string text = writer.write();
  return planned(text, writer.cores());
}

std::vector<std::unique_ptr<Node>> make_random_nodes(const Plan& plan, Complaints& complaints) {
  std::vector<std::unique_ptr<Node>> nodes(plan.nodes.size());
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    if (!plan.nodes[n].declaration->source) nodes[n] = std::make_unique<RandomNode>(plan, n, complaints);
  }
  return nodes;
}

}  // namespace sluice::testing
