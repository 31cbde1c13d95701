// Units, concurrency, capacities, credits and slots (contract section 3 rule 5).
//
// An exact edge into a slow stage (infer, a sink, a node with its own thread) holds one frame in realtime and
// drops the oldest; so does one into a branch that no sink waits for, whose frames hold no credit. Other
// edges are bounded by the credits. In lossless every exact edge holds as many frames as there are credits
// and blocks.
#include <algorithm>
#include <thread>

#include "framework/plan/draft.h"

namespace sluice::planning {
namespace {

constexpr int kLeastCredits = 3;
constexpr int kMostRealtimeCredits = 16;
constexpr int kMostLosslessCredits = 8;
constexpr int kMostAutoConcurrency = 4;
constexpr int kAcceleratorConcurrency = 2;  // one runs, one is ready
constexpr int kMostConcurrency = 256;

class FlowSizer {
 public:
  explicit FlowSizer(Draft& draft) : d_(draft), p_(*draft.plan), order_(topological(p_)) {}

  void run() {
    for (int n = 0; n < size(); ++n) d_.node(n).concurrency = concurrency(n);
    count_edges();
    make_units();
    find_batched_sinks();
    leads_to_due_ = leads_to_due(p_);
    if (p_.lossless) {
      for (int s = 0; s < sources(); ++s) source(s).credits = lossless_credits(s);
    }
    for (PlanEdge& e : p_.edges) size_edge(e);
    for (UnitPlan& unit : p_.units) size_inbox(unit);
    if (!p_.lossless) {
      bound_overtakers();
      for (int s = 0; s < sources(); ++s) source(s).credits = realtime_credits(s);
    }
    for (int s = 0; s < sources(); ++s) source(s).slots = slots(s);
  }

 private:
  int size() const { return static_cast<int>(p_.nodes.size()); }
  int sources() const { return static_cast<int>(p_.sources.size()); }
  SourcePlan& source(int s) { return p_.sources[static_cast<std::size_t>(s)]; }
  UnitPlan& unit_of(int n) { return p_.units[static_cast<std::size_t>(d_.node(n).unit)]; }
  const InputSpec* spec_of(const PlanEdge& e) const {
    return d_.edge_specs[static_cast<std::size_t>(&e - p_.edges.data())];
  }

  // ---- concurrency ----

  int cores() const {
    const int cores =
        d_.inputs.cores > 0 ? d_.inputs.cores : static_cast<int>(std::thread::hardware_concurrency());
    return std::max(1, p_.lossless ? cores : cores / 2);  // realtime: half is left to everything else
  }

  int concurrency(int n) {
    if (d_.type(n).serial) return 1;
    if (!d_.type(n).infers) return std::clamp(cores(), 1, kMostAutoConcurrency);
    const Options& options = *d_.node(n).options;
    const auto written = options.all().find("concurrency");
    const auto* number =
        written == options.all().end() ? nullptr : std::get_if<std::int64_t>(&written->second.data);
    const int batch = d_.draft(n).batch;
    if (number) return static_cast<int>(std::clamp<std::int64_t>(*number, 1, kMostConcurrency)) * batch;
    return batch > 1 ? batch : auto_runs(options);
  }

  // cpu: threads of one run times runs at once are at most the cores.
  int auto_runs(const Options& options) const {
    const auto backends = options.all().find("backends");
    if (backends != options.all().end()) {
      const std::vector<std::string> names = options.texts("backends");
      if (!names.empty() && names.front() != "cpu") return kAcceleratorConcurrency;
    }
    std::int64_t threads = 1;
    const auto cpu = options.all().find("cpu");
    const auto* map = cpu == options.all().end() ? nullptr : std::get_if<OptionMap>(&cpu->second.data);
    if (map && map->contains("threads")) {
      if (const auto* t = std::get_if<std::int64_t>(&map->at("threads").data))
        threads = std::max<std::int64_t>(1, *t);
    }
    return static_cast<int>(std::clamp<std::int64_t>(cores() / threads, 1, kMostAutoConcurrency));
  }

  // ---- units ----

  void count_edges() {
    readers_.resize(p_.nodes.size());
    latest_in_.resize(p_.nodes.size());
    for (const PlanEdge& e : p_.edges) {
      ++readers_[static_cast<std::size_t>(e.from_node)];
      if (e.latest) ++latest_in_[static_cast<std::size_t>(e.to_node)];
    }
  }

  bool fusible(int n) const {
    const NodePlan& node = p_.nodes[static_cast<std::size_t>(n)];
    const NodeDeclaration& type = *node.declaration;
    return type.cheap && type.serial && node.thread == ThreadKind::kWorker && !type.source && !type.infers &&
           !is_end(type);
  }

  // The node that `n` follows within its unit; -1: `n` starts one.
  int predecessor(int n) {
    const std::vector<int> in = exact_inputs(p_, n);
    if (!fusible(n) || in.size() != 1 || latest_in_[static_cast<std::size_t>(n)] > 0) return -1;
    const PlanEdge& e = d_.edge(in.front());
    const InputSpec* spec = spec_of(e);
    const bool written = spec && (spec->capacity || spec->when_full != WhenFull::kDefault);
    // Which of its outputs a node turned away is told between units only.
    const NodeDeclaration& before = d_.type(e.from_node);
    if (before.filters && before.outputs.size() > 1) return -1;
    if (written || !fusible(e.from_node) || readers_[static_cast<std::size_t>(e.from_node)] != 1) return -1;
    return e.from_node;
  }

  void make_units() {
    for (const int n : order_) {
      const int before = predecessor(n);
      if (before < 0) {
        d_.node(n).unit = static_cast<int>(p_.units.size());
        p_.units.push_back(
            {.nodes = {n}, .source = d_.node(n).source, .concurrency = d_.node(n).concurrency});
      } else {
        d_.node(n).unit = d_.node(before).unit;
        unit_of(n).nodes.push_back(n);
      }
    }
    for (const UnitPlan& unit : p_.units) say_chain(unit);
  }

  void say_chain(const UnitPlan& unit) {
    if (unit.nodes.size() < 2) return;
    std::vector<std::string> names;
    names.reserve(unit.nodes.size());
    for (const int n : unit.nodes) names.push_back("'" + d_.node(n).id + "'");
    d_.say(joined(names, ", ") + " run as one task");
  }

  // ---- capacities ----

  bool slow(int n) const {
    const NodePlan& node = p_.nodes[static_cast<std::size_t>(n)];
    const NodeDeclaration& type = *node.declaration;
    return !type.source && (type.infers || is_end(type) || node.thread != ThreadKind::kWorker);
  }

  // Sinks behind a batch get that many frames at once.
  void find_batched_sinks() {
    burst_.assign(p_.nodes.size(), 1);
    for (const int n : order_) {
      int& burst = burst_[static_cast<std::size_t>(n)];
      if (d_.type(n).infers) burst = std::max(burst, d_.draft(n).batch);
      for (const int e : exact_inputs(p_, n))
        burst = std::max(burst, burst_[static_cast<std::size_t>(d_.edge(e).from_node)]);
    }
  }

  int default_capacity(int n) const {
    const auto at = static_cast<std::size_t>(n);
    if (p_.lossless) return p_.sources[static_cast<std::size_t>(p_.nodes[at].source)].credits;
    const NodeDeclaration& type = *p_.nodes[at].declaration;
    if (type.infers) return std::max(1, d_.nodes[at].batch);
    if (is_end(type)) return burst_[at];
    return slow(n) || !leads_to_due_[at] ? 1 : 0;
  }

  void size_edge(PlanEdge& e) {
    if (e.latest) return;
    const InputSpec* spec = spec_of(e);
    const bool inner = d_.node(e.from_node).unit == d_.node(e.to_node).unit;
    e.capacity = inner ? 0 : default_capacity(e.to_node);
    e.when_full = p_.lossless ? WhenFull::kBlock : WhenFull::kDropOldest;
    if (!spec) return;
    const bool rule_written = spec->when_full != WhenFull::kDefault;
    const bool rule_holds = !(p_.lossless && spec->when_full != WhenFull::kBlock);
    if (rule_written && rule_holds) {
      e.when_full = spec->when_full;
      e.capacity = std::max(e.capacity, 1);
    }
    if (spec->capacity) e.capacity = *spec->capacity;
  }

  void size_inbox(UnitPlan& unit) {
    unit.when_full = p_.lossless ? WhenFull::kBlock : WhenFull::kDropOldest;
    int written = 0, by_default = 0;
    const auto smaller = [](int a, int b) { return a == 0 ? b : std::min(a, b); };
    for (const int i : exact_inputs(p_, unit.nodes.front())) {
      const PlanEdge& e = d_.edge(i);
      const InputSpec* spec = spec_of(e);
      if (spec && (spec->capacity || spec->when_full != WhenFull::kDefault)) {
        written = smaller(written, e.capacity);
        unit.when_full = e.when_full;
      } else if (e.capacity > 0) {
        by_default = smaller(by_default, e.capacity);
      }
    }
    unit.capacity = written > 0 ? written : by_default;
    if (written == 0) return;
    for (const int i :
         exact_inputs(p_, unit.nodes.front())) {  // one inbox: what is written holds for all its edges
      d_.edge(i).capacity = unit.capacity;
      d_.edge(i).when_full = unit.when_full;
    }
  }

  // Frames of a branch that no sink waits for hold no credit while they wait for one that they overtook in a
  // parallel node: as many may as that runs at once.
  void bound_overtakers() {
    for (UnitPlan& unit : p_.units) {
      const int first = unit.nodes.front();
      if (unit.concurrency > 1 || leads_to_due_[static_cast<std::size_t>(first)]) continue;
      for (const int e : exact_inputs(p_, first)) {
        const int before = d_.node(d_.edge(e).from_node).concurrency;
        if (before > 1) unit.may_overtake = std::max(unit.may_overtake, before);
      }
    }
  }

  // ---- credits ----

  int held_by(int n) { return unit_of(n).capacity + d_.node(n).concurrency; }

  int realtime_credits(int s) {
    const std::optional<int>& written = d_.spec.flow.max_in_flight;
    if (written) {
      check_starving(s, *written);
      return *written;
    }
    int credits = 1;
    for (int n = 0; n < size(); ++n) {
      if (d_.node(n).source == s && slow(n)) credits += held_by(n);
    }
    credits = std::clamp(credits, kLeastCredits, kMostRealtimeCredits);
    say_credits(s, credits);
    return credits;
  }

  void say_credits(int s, int credits) {
    d_.say("source '" + d_.node(source(s).node).id + "': at most " + std::to_string(credits) +
           " frames are in flight");
  }

  // A stage that some sinks wait for and others do not can hold frames for which the others have nothing left
  // to do.
  void check_starving(int s, int written) {
    const std::vector<int> due = due_nodes(p_, s);
    std::vector<std::vector<bool>> reaches(p_.nodes.size(), std::vector<bool>(due.size()));
    for (std::size_t i = 0; i < due.size(); ++i) reaches[static_cast<std::size_t>(due[i])][i] = true;
    for (auto n = order_.rbegin(); n != order_.rend(); ++n) {
      if (d_.node(*n).source != s) continue;
      for (const int e : exact_inputs(p_, *n)) {
        auto& into = reaches[static_cast<std::size_t>(d_.edge(e).from_node)];
        for (std::size_t i = 0; i < due.size(); ++i)
          into[i] = into[i] || reaches[static_cast<std::size_t>(*n)][i];
      }
    }
    int needed = 1;
    std::vector<std::string> holders;
    for (int n = 0; n < size(); ++n) {
      if (d_.node(n).source != s || !slow(n) || is_end(d_.type(n))) continue;
      const auto& mine = reaches[static_cast<std::size_t>(n)];
      const auto reached = std::count(mine.begin(), mine.end(), true);
      if (reached == 0 || reached == static_cast<std::ptrdiff_t>(due.size())) continue;
      needed += held_by(n);
      holders.push_back("'" + d_.node(n).id + "' " + std::to_string(held_by(n)));
    }
    if (written >= needed) return;
    d_.error(d_.spec.flow.max_in_flight_mark,
             "flow.max_in_flight is " + std::to_string(written) + ", needed: at least " +
                 std::to_string(needed) + "; slow branches of source '" + d_.node(source(s).node).id +
                 "' can hold that many frames less one (" + joined(holders, ", ") +
                 ") and would starve its other sinks");
  }

  // Enough to keep the source, each unit of the longest path, and each run of a model busy.
  int lossless_credits(int s) {
    if (d_.spec.flow.max_in_flight) return *d_.spec.flow.max_in_flight;
    std::vector<int> length(p_.nodes.size());
    int longest = 0, more_runs = 0;
    for (const int n : order_) {
      if (d_.node(n).source != s) continue;
      int& own = length[static_cast<std::size_t>(n)];
      for (const int e : exact_inputs(p_, n))
        own = std::max(own, length[static_cast<std::size_t>(d_.edge(e).from_node)]);
      if (unit_of(n).nodes.front() == n) ++own;
      longest = std::max(longest, own);
      if (d_.type(n).infers) more_runs += d_.node(n).concurrency - 1;
    }
    const int credits =
        std::clamp(2 + longest, kLeastCredits, kMostLosslessCredits) + std::min(more_runs, kMostConcurrency);
    say_credits(s, credits);
    return credits;
  }

  int slots(int s) {
    int slots = source(s).credits;
    if (p_.lossless) return slots;
    for (const UnitPlan& unit : p_.units) {
      if (unit.source == s) slots += unit.capacity + unit.concurrency + unit.may_overtake;
    }
    return slots;
  }

  Draft& d_;
  Plan& p_;
  std::vector<int> order_;
  std::vector<int> readers_;    // by node: edges out of it
  std::vector<int> latest_in_;  // by node
  std::vector<int> burst_;      // by node: frames that arrive at once, behind a batch
  std::vector<bool> leads_to_due_;
};

}  // namespace

void size_flow(Draft& d) { FlowSizer(d).run(); }

}  // namespace sluice::planning
