#include "tests/framework/graph/flow_model.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

namespace sluice::testing {
namespace {

using Random = std::mt19937_64;

int pick(Random& random, int low,
         int high) {  // inclusive; not std::uniform_int_distribution: same on every library
  return low + static_cast<int>(random() % static_cast<std::uint64_t>(high - low + 1));
}
bool chance(Random& random, int percent) { return pick(random, 1, 100) <= percent; }

constexpr TimeNs kFaster = 1000;  // real costs, against modelled ones

void spin(TimeNs cost) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(cost);
  while (std::chrono::steady_clock::now() < end) {
  }
}

std::uint64_t mix(std::uint64_t x) {  // splitmix64
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

UnitModel random_model(Random& random, bool lossless) {
  UnitModel m;
  if (chance(random, 30)) m.filter = pick(random, 1, 30);
  if (chance(random, 30)) m.drop = pick(random, 1, 30);
  if (chance(random, 20)) m.fail = pick(random, 1, 20);
  if (chance(random, 30)) m.empty = pick(random, 1, 50);
  if (chance(random, 20)) m.port_filter = pick(random, 10, 60);
  if (lossless && chance(random, 20)) m.retry = pick(random, 1, 30);
  if (chance(random, 70)) {
    m.cost_min = from_ms(pick(random, 0, 5));
    m.cost_max = m.cost_min + from_ms(chance(random, 20) ? pick(random, 0, 100) : pick(random, 0, 5));
  }
  return m;
}

void add_unit(Random& random, ModelGraph& g, int source, int first_of_source) {
  const int index = static_cast<int>(g.flow.units.size());
  FlowUnit unit;
  unit.source = source;
  const int nodes = chance(random, 15) ? pick(random, 2, 4) : 1;  // a fused chain
  for (int i = 0; i < nodes; ++i) {
    unit.nodes.push_back(static_cast<int>(g.flow.node_rank.size()));
    g.flow.node_rank.push_back(pick(random, 0, 1000) * 100 + static_cast<int>(g.flow.node_rank.size()) % 100);
    g.flow.node_stops.push_back(false);
  }
  if (nodes == 1 && chance(random, 20)) unit.concurrency = pick(random, 2, 3);
  if (chance(random, 40)) {
    unit.capacity = pick(random, 1, 3);
    unit.when_full = g.flow.lossless      ? WhenFull::kBlock
                     : chance(random, 70) ? WhenFull::kDropOldest
                                          : WhenFull::kDropNewest;
  }
  const int inputs = std::min(index - first_of_source, chance(random, 40) ? pick(random, 2, 4) : 1);
  std::vector<int> from;
  for (int i = 0; i < inputs; ++i) {
    const int p = chance(random, 60) ? index - 1 - pick(random, 0, std::min(2, index - first_of_source - 1))
                                     : pick(random, first_of_source, index - 1);
    if (std::find(from.begin(), from.end(), p) == from.end()) from.push_back(p);
  }
  for (int p : from) g.flow.edges.push_back({p, pick(random, 0, 1), index});
  g.flow.units.push_back(unit);
  g.units.push_back(random_model(random, g.flow.lossless));
}

void choose_sinks(Random& random, ModelGraph& g, int first, int last) {
  bool any = false;
  for (int u = first + 1; u <= last; ++u) {
    const bool ends =
        std::none_of(g.flow.edges.begin(), g.flow.edges.end(), [u](auto& e) { return e.from_unit == u; });
    FlowUnit& unit = g.flow.units[static_cast<std::size_t>(u)];
    if (!ends || unit.concurrency > 1 || (any && chance(random, 25))) continue;  // a branch into a mailbox
    unit.sink = SinkKind::kCounting;
    unit.sink_index = g.flow.sinks++;
    g.units[static_cast<std::size_t>(u)].port_filter = 0;
    any = true;
  }
  if (any) return;
  for (int u = first + 1; u <= last; ++u) {
    const bool ends =
        std::none_of(g.flow.edges.begin(), g.flow.edges.end(), [u](auto& e) { return e.from_unit == u; });
    if (ends) g.flow.units[static_cast<std::size_t>(u)].sink = SinkKind::kImplied;
  }
}

void add_source(Random& random, ModelGraph& g) {
  const int source = static_cast<int>(g.flow.sources.size());
  const int first = static_cast<int>(g.flow.units.size());
  FlowUnit unit;
  unit.source = source;
  unit.is_source = true;
  unit.nodes = {static_cast<int>(g.flow.node_rank.size())};
  g.flow.node_rank.push_back(pick(random, 0, 100000));
  g.flow.node_stops.push_back(false);
  g.flow.units.push_back(unit);
  g.units.push_back({});
  const int units = pick(random, 1, 14);
  for (int i = 0; i < units; ++i) add_unit(random, g, source, first);
  choose_sinks(random, g, first, first + units);
  FlowSource spec;
  spec.unit = first;
  spec.credits = pick(random, 1, 6);
  spec.slots = spec.credits;
  g.flow.sources.push_back(spec);
  SourceModel model;
  model.frames = pick(random, 5, 40);
  model.period = g.flow.lossless && chance(random, 50) ? 0 : from_ms(pick(random, 1, 20));
  g.sources.push_back(model);
}

}  // namespace

ModelGraph random_graph(std::uint64_t seed) {
  Random random(mix(seed));
  ModelGraph g;
  g.seed = seed;
  g.flow.lossless = chance(random, 40);
  if (!g.flow.lossless && chance(random, 30)) g.flow.deadline = from_ms(pick(random, 5, 60));
  const int sources = chance(random, 70) ? 1 : pick(random, 2, 3);
  for (int s = 0; s < sources; ++s) add_source(random, g);
  bound_branches_without_sinks(g.flow);
  return g;
}

std::string ModelGraph::text() const {
  std::string out = fmt::format("seed {} {} deadline {} ms\n", seed, flow.lossless ? "lossless" : "realtime",
                                to_ms(flow.deadline));
  for (std::size_t u = 0; u < flow.units.size(); ++u) {
    const FlowUnit& unit = flow.units[u];
    out += fmt::format("  unit {} source {}{} x{} capacity {} nodes {} sink {} <-", u, unit.source,
                       unit.is_source ? " (source)" : "", unit.concurrency, unit.capacity, unit.nodes.size(),
                       static_cast<int>(unit.sink));
    for (const FlowEdge& e : flow.edges) {
      if (e.to_unit == static_cast<int>(u)) out += fmt::format(" {}.{}", e.from_unit, e.from_output);
    }
    out += '\n';
  }
  return out;
}

class Model::Feed : public SourceFeed {
 public:
  Feed(Model& model, int source) : model_(model), source_(source) {}
  TimeNs next_due() override { return only_computes() ? 0 : period() * static_cast<TimeNs>(number_); }
  TimeNs enter_due() override { return 0; }
  bool only_computes() const override {
    return model_.graph_.flow.lossless && (model_.graph_.seed + static_cast<std::uint64_t>(source_)) % 2 == 0;
  }
  Result<FrameInfo> next() override {
    if (number_ ==
        static_cast<std::uint64_t>(model_.graph_.sources[static_cast<std::size_t>(source_)].frames)) {
      return end_of_stream();
    }
    frame_ = {};
    frame_.source = static_cast<std::uint16_t>(source_);
    frame_.number = number_++;
    frame_.captured = frame_.produced = model_.clock_ ? model_.clock_->now() : 0;
    std::lock_guard lock(model_.mutex_);
    ++model_.tally_.frames;
    return frame_;
  }
  void store(Slot slot) override {
    const int unit = model_.graph_.flow.sources[static_cast<std::size_t>(source_)].unit;
    model_.stamp(slot, static_cast<std::uint32_t>(unit)) = {frame_.number, true};
  }
  void discard() override {}
  void interrupt() override {}

 private:
  TimeNs period() const {
    const TimeNs period = model_.graph_.sources[static_cast<std::size_t>(source_)].period;
    return model_.spins_ ? period / kFaster : period;
  }
  Model& model_;
  int source_;
  std::uint64_t number_ = 0;
  FrameInfo frame_;
};

Model::Model(const ModelGraph& graph) : graph_(graph) {
  std::size_t slots = 0;
  for (std::size_t s = 0; s < graph.flow.sources.size(); ++s) {
    slots += static_cast<std::size_t>(graph.flow.sources[s].slots);
    feeds_.push_back(std::make_unique<Feed>(*this, static_cast<int>(s)));
  }
  stamps_.resize(slots * graph.flow.units.size());
  runs_.resize(stamps_.size());
  last_number_.assign(graph.flow.units.size(), -1);
}

Model::~Model() = default;

std::uint64_t Model::roll(std::uint32_t unit, const FrameInfo& frame, std::uint64_t salt) const {
  return mix(mix(mix(graph_.seed ^ salt) + unit) + frame.number) % 100;
}

void Model::find(const std::string& what) {
  std::lock_guard lock(mutex_);
  if (findings_.size() < 20) findings_.push_back(what);
}

void Model::check_inputs(std::uint32_t unit, Slot slot, const FrameInfo& frame) {
  int producers = 0;
  std::uint32_t last = UINT32_MAX;
  for (const FlowEdge& e : graph_.flow.edges) {
    if (e.to_unit != static_cast<int>(unit)) continue;
    const auto from = static_cast<std::uint32_t>(e.from_unit);
    if (from != last) ++producers;
    last = from;
    const Stamp& s = stamp(slot, from);
    if (!s.live || s.number != frame.number) {
      find(fmt::format("unit {} runs frame {} with input {} of frame {} ({})", unit, frame.number, from,
                       s.number, s.live ? "live" : "released"));
    }
  }
  std::lock_guard lock(mutex_);
  if (producers >= 3) ++tally_.wide_joins;
}

void Model::check_order(std::uint32_t unit, const FrameInfo& frame) {
  if (graph_.flow.units[unit].concurrency > 1) return;
  const auto number = static_cast<std::int64_t>(frame.number);
  if (number < last_number_[unit])
    find(fmt::format("unit {} sees frame {} after {}", unit, number, last_number_[unit]));
  last_number_[unit] = number;
}

Outcome Model::run(std::uint32_t unit, Slot slot, const FrameInfo& frame) {
  const UnitModel& m = graph_.units[unit];
  const FlowUnit& spec = graph_.flow.units[unit];
  check_inputs(unit, slot, frame);
  check_order(unit, frame);
  auto& runs = runs_[slot * graph_.flow.units.size() + unit];
  runs.assign(spec.nodes.size(), {from_ms(1), 1, 0});
  Outcome out;
  if (spins_) spin(cost()(unit, frame) / kFaster);
  if (executor_ && retries(unit, frame)) {
    out.kind = Outcome::Kind::kRetry;
    return out;
  }
  int at = static_cast<int>(roll(unit, frame, 3) % spec.nodes.size());
  static constexpr DropReason kReasons[] = {DropReason::kPoolEmpty, DropReason::kTooMany,
                                            DropReason::kTimeout, DropReason::kStale, DropReason::kCancelled};
  const auto happens = [&](std::uint64_t what, int share) {
    return roll(unit, frame, what) < static_cast<std::uint64_t>(share);
  };
  if (happens(4, m.filter)) {
    out.kind = Outcome::Kind::kFiltered;
  } else if (happens(5, m.drop)) {
    out.kind = Outcome::Kind::kDropped;
    out.reason = kReasons[roll(unit, frame, 6) % std::size(kReasons)];
  } else if (happens(7, m.fail)) {
    out.kind = Outcome::Kind::kDropped;
    out.reason = DropReason::kFailed;
  } else {
    at = static_cast<int>(spec.nodes.size()) - 1;
    if (roll(unit, frame, 8) < static_cast<std::uint64_t>(m.empty)) {
      runs.back().packets = 0;
      std::lock_guard lock(mutex_);
      ++tally_.empty_lists;
    }
    if (roll(unit, frame, 9) < static_cast<std::uint64_t>(m.port_filter)) {
      out.filtered_outputs = 1 + roll(unit, frame, 10) % 2;
    }
    stamp(slot, unit) = {frame.number, true};
  }
  out.runs = std::span<const NodeRun>(runs).first(static_cast<std::size_t>(at) + 1);
  return out;
}

// Once per frame: a pool is empty, and speaks up later.
bool Model::retries(std::uint32_t unit, const FrameInfo& frame) {
  if (roll(unit, frame, 1) >= static_cast<std::uint64_t>(graph_.units[unit].retry)) return false;
  {
    std::lock_guard lock(mutex_);
    if (!retried_.insert({unit, frame.number}).second) return false;
  }
  const TimeNs wait = from_ms(static_cast<double>(roll(unit, frame, 2) % 7));
  const TimerKey key{static_cast<std::int64_t>(unit), -1};
  clock_->at(clock_->now() + (spins_ ? wait / kFaster : wait), key,
             [this, unit] { executor_->resume(unit); });
  return true;
}

void Model::release(std::uint32_t unit, Slot slot) { stamp(slot, unit).live = false; }

CostModel Model::cost() const {
  return [this](std::uint32_t unit, const FrameInfo& frame) {
    const UnitModel& m = graph_.units[unit];
    return m.cost_min + (m.cost_max - m.cost_min) * static_cast<TimeNs>(roll(unit, frame, 11)) / 100;
  };
}

ExecutorSetup Model::setup(Clock& clock) {
  ExecutorSetup setup;
  setup.graph = graph_.flow;
  static constexpr ThreadKind kKinds[] = {ThreadKind::kWorker, ThreadKind::kWorker, ThreadKind::kOwn,
                                          ThreadKind::kLane};
  for (std::uint32_t u = 0; u < graph_.flow.units.size(); ++u) {
    setup.threads.push_back(kKinds[roll(u, FrameInfo{}, 12) % std::size(kKinds)]);
  }
  for (auto& feed : feeds_) setup.feeds.push_back(feed.get());
  setup.bodies = this;
  setup.storage = this;
  setup.clock = &clock;
  setup.cost = cost();
  return setup;
}

ExecutorSetup Model::setup_spinning(Clock& clock) {
  ExecutorSetup out = setup(clock);
  out.cost = nullptr;
  out.graph.deadline /= kFaster;
  spins_ = true;
  return out;
}

void Model::attach(Executor& executor, Clock& clock) {
  executor_ = &executor;
  clock_ = &clock;
}

void Model::check(const Executor& executor, Executor& owner) {
  const FlowCounters c = executor.counters();
  const auto sum = [](const DropCounts& d) {
    std::uint64_t s = 0;
    for (auto n : d) s += n;
    return s;
  };
  std::uint64_t delivered = 0;
  for (std::size_t s = 0; s < c.sources.size(); ++s) {
    const SourceCounters& x = c.sources[s];
    delivered += x.delivered;
    if (x.produced != x.delivered + sum(x.dropped))
      find(fmt::format("source {}: produced != delivered + dropped", s));
    for (std::size_t r = 0; r < kDropReasons; ++r) tally_.reasons[r] += x.dropped[r];
    const FlowSource& spec = graph_.flow.sources[s];
    if (owner.core_for_tests().credits_left(static_cast<int>(s)) != spec.credits) {
      find(fmt::format("source {}: {} of {} credits at the end", s,
                       owner.core_for_tests().credits_left(static_cast<int>(s)), spec.credits));
    }
    if (owner.core_for_tests().refused_for_slots(static_cast<int>(s)) > 0)
      find(fmt::format("source {}: slots ran out", s));
  }
  if (delivered != c.delivered) find("delivered frames differ between the sources and the whole");
  for (std::size_t n = 0; n < c.nodes.size(); ++n) {
    const NodeCounters& x = c.nodes[n];
    if (x.in != x.processed + x.filtered + sum(x.dropped))
      find(fmt::format("node {}: in != processed + ...", n));
  }
  for (std::size_t u = 0; u < graph_.flow.units.size(); ++u) {
    const FlowUnit& unit = graph_.flow.units[u];
    if (unit.sink != SinkKind::kCounting) continue;
    const SinkCounters& x = c.sinks[static_cast<std::size_t>(unit.sink_index)];
    const SourceCounters& source = c.sources[static_cast<std::size_t>(unit.source)];
    if (x.due != x.delivered + sum(x.dropped)) find(fmt::format("sink {}: due != delivered + dropped", u));
    if (x.due + x.filtered != source.produced) {
      find(
          fmt::format("sink {}: due {} + filtered {} != produced {}", u, x.due, x.filtered, source.produced));
    }
    const auto last = static_cast<std::size_t>(unit.nodes.back());
    if (x.delivered != c.nodes[last].processed) find(fmt::format("sink {}: delivered != processed", u));
    // What a sink lost must have been lost at nodes that lead to it, reason by reason.
    for (std::size_t r = 0; r < kDropReasons; ++r) {
      std::uint64_t lost = 0;
      for (const NodeCounters& node : c.nodes) lost += node.dropped[r];
      if (x.dropped[r] > lost)
        find(fmt::format("sink {}: more dropped for reason {} than all nodes lost", u, r));
    }
  }
  for (std::size_t i = 0; i < stamps_.size(); ++i) {
    if (stamps_[i].live)
      find(fmt::format("outputs of unit {} are never released", i % graph_.flow.units.size()));
  }
  if (owner.core_for_tests().protocol_violations() > 0) find("a message came twice");
  const auto over = owner.core_for_tests().capacity_violations();
  if (over > 0) find(fmt::format("{} times more frames waited than an edge's capacity", over));
}

}  // namespace sluice::testing
