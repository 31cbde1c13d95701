#include "tests/bench/node_chain.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "framework/graph/node_bodies.h"
#include "framework/graph/tbb_executor.h"
#include "framework/node/registry.h"
#include "framework/plan/plan.h"

namespace sluice::bench {
namespace {

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "error: %s\n", what.c_str());
  std::abort();
}

// Stands for a source; frames are pushed in its place.
struct Pushed final : Node {
  static void describe(NodeDeclaration& d) {
    d.source = true;
    d.thread = ThreadKind::kOwn;
    d.output("frame", PortKind::kFrame);
  }
  Status process(Context&) override { return {}; }
};

template <bool cheap>
struct Pass final : Node {
  static void describe(NodeDeclaration& d) {
    d.input("in", PortKind::kAny);
    d.output("out", PortKind::kAny);
    d.cheap = cheap;
    d.takes_lists = true;
    d.infer_types = [](const TypeContext& context) -> Result<std::vector<PortType>> {
      PortType out = context.inputs(0).front();
      out.name = "out";
      return std::vector<PortType>{out};
    };
  }
  Status process(Context& context) override {
    for (const Packet& packet : context.packets(0)) context.emit(packet);
    return {};
  }
};

struct End final : Node {
  static void describe(NodeDeclaration& d) {
    d.sink = true;
    d.takes_lists = true;
    d.input("in", PortKind::kAny);
  }
  Status process(Context&) override { return {}; }
};

Registry make_registry() {
  Registry registry;
  for (const Status& added : {registry.add<Pushed>("pushed"), registry.add<Pass<true>>("cheap"),
                              registry.add<Pass<false>>("pass"), registry.add<End>("end")}) {
    if (!added.ok()) fail(added.message());
  }
  return registry;
}

std::string text_of(Chain chain, int nodes) {
  std::string text =
      "version: 1\nflow: {mode: lossless, max_in_flight: 1}\nnodes:\n  - {id: n0, type: pushed}\n";
  const std::string type = chain == Chain::kFused ? "cheap" : "pass";
  for (int i = 1; i <= nodes; ++i) {
    text +=
        "  - {id: n" + std::to_string(i) + ", type: " + type + ", inputs: n" + std::to_string(i - 1) + "}\n";
  }
  return text + "  - {id: out, type: end, inputs: n" + std::to_string(nodes) + "}\n";
}

std::shared_ptr<const Plan> plan_of(const Registry& registry, const std::string& text) {
  const ParsedSpec parsed = parse_spec_text(text);
  PlanInputs inputs;
  inputs.registry = &registry;
  inputs.ask_source = [](const std::string&, const Options&) { return SourceTraits{}; };
  const PlanResult result = make_plan(parsed.spec, inputs);
  if (!result.plan) fail("the chain has no plan");
  return result.plan;
}

class PushedFeed final : public SourceFeed {
 public:
  TimeNs next_due() override { return kNever; }
  Result<FrameInfo> next() override { return end_of_stream(); }
  TimeNs enter_due() override { return 0; }
  void store(Slot slot) override { bodies_->store_source(0, slot, std::move(packet_)); }
  void discard() override { packet_.reset(); }
  void interrupt() override {}
  bool external() const override { return true; }
  void attach(NodeBodies& bodies) { bodies_ = &bodies; }
  void keep(Packet packet) { packet_ = std::move(packet); }

 private:
  NodeBodies* bodies_ = nullptr;
  Packet packet_;
};

}  // namespace

// NodeBodies with one addition: whoever finished a frame pushes the next.
struct NodeChain::Impl final : Bodies {
  Impl(Chain chain, int count)
      : registry(make_registry()),
        plan(plan_of(registry, text_of(chain, count))),
        flow(make_flow_graph(*plan)) {
    const std::size_t units = chain == Chain::kFused ? 3 : static_cast<std::size_t>(count) + 2;
    if (plan->units.size() != units)
      fail("the chain was planned as " + std::to_string(plan->units.size()) + " units");
    auto made = Pools::create(*plan, [](int) {});
    if (!made.ok()) fail(made.status().message());
    pools = std::move(*made);
    std::vector<Node*> raw;
    for (const NodePlan& node : plan->nodes) {
      auto created = node.declaration->create();
      if (!created.ok()) fail(created.status().message());
      nodes.push_back(std::move(*created));
      raw.push_back(nodes.back().get());
    }
    real = std::make_unique<NodeBodies>(
        *plan, flow, std::move(raw), *pools, clock,
        [](int, const Status& status, const FrameInfo&) { fail(status.message()); });
    feed.attach(*real);
    last_unit = static_cast<std::uint32_t>(plan->nodes.back().unit);
  }

  Outcome run(std::uint32_t unit, Slot slot, const FrameInfo& frame) override {
    ended |= unit == last_unit;
    return real->run(unit, slot, frame);
  }
  void publish(std::uint32_t unit, Slot slot) override { real->publish(unit, slot); }
  void sweep() override {
    real->sweep();
    if (!ended || executor->alive() > 0) return;
    ended = false;
    push();
  }
  void push() {
    if (pushed == frames) return executor->end_source(0, {});
    FrameInfo frame;
    frame.number = static_cast<std::uint64_t>(pushed++);
    feed.keep(pools->at(0, 0).packets->acquire(frame));
    executor->push(0, frame);
  }

  SteadyClock clock;
  Registry registry;
  std::shared_ptr<const Plan> plan;
  FlowGraph flow;
  std::unique_ptr<Pools> pools;
  std::vector<std::unique_ptr<Node>> nodes;
  std::unique_ptr<NodeBodies> real;
  PushedFeed feed;
  std::uint32_t last_unit = 0;
  bool ended = false;  // the sink has run; its worker notices when the frame has left
  int frames = 0;
  int pushed = 0;
  std::unique_ptr<TbbExecutor> executor;
};

NodeChain::NodeChain(Chain chain, int nodes) : impl_(std::make_unique<Impl>(chain, nodes)) {}
NodeChain::~NodeChain() { impl_->executor.reset(); }

double NodeChain::run(int frames) {
  Impl& chain = *impl_;
  chain.frames = frames;
  ExecutorSetup setup;
  setup.graph = chain.flow;
  setup.threads.assign(chain.flow.units.size(), ThreadKind::kWorker);
  setup.feeds = {&chain.feed};
  setup.bodies = &chain;
  setup.storage = chain.real.get();
  setup.clock = &chain.clock;
  setup.workers = 1;
  chain.executor = std::make_unique<TbbExecutor>(std::move(setup));
  if (!chain.executor->start().ok()) fail("the executor did not start");
  const auto start = std::chrono::steady_clock::now();
  chain.push();
  if (!chain.executor->wait(600)) fail("the chain stalled");
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (chain.executor->counters().delivered != static_cast<std::uint64_t>(frames)) fail("frames were lost");
  return seconds;
}

}  // namespace sluice::bench
