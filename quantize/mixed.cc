#include "quantize/mixed.h"

#include <algorithm>

#include "quantize/graph_index.h"
#include "quantize/groups.h"
#include "quantize/insert.h"
#include "quantize/operators.h"

namespace sluice::quantize {
namespace {

// Enough to order the operators; the decision itself is made on all held-out samples.
constexpr std::size_t kSamplesPerOperator = 4;

// The float network with the results of one operator rounded as the plan says. A clip that the plan absorbed
// is still an operator of its own here; its result has the name that the plan knows.
Result<pb::ModelProto> with_rounded(const pb::ModelProto& whole, const QuantPlan& plan,
                                    const pb::NodeProto& node) {
  QuantPlan one;
  one.bits.assign(static_cast<std::size_t>(whole.graph().node_size()), 0);
  for (const std::string& output : node.output()) {
    const auto found = plan.activations.find(output);
    if (found != plan.activations.end()) one.activations.insert(*found);
  }
  pb::ModelProto out = whole;
  SLUICE_RETURN_IF_ERROR(insert_encodings(*out.mutable_graph(), one, EdgeType::kFloat));
  return out;
}

Result<std::vector<RaisedOperator>> measure_each(const pb::ModelProto& network, const pb::ModelProto& whole,
                                                 const QuantPlan& plan, const Judge& judge) {
  const GraphIndex index(network.graph());
  const Groups groups(network.graph(), index);
  std::vector<RaisedOperator> out;
  for (int n = 0; n < network.graph().node_size(); ++n) {
    const pb::NodeProto& node = network.graph().node(n);
    if (plan.bits[static_cast<std::size_t>(n)] != 8 || groups.moves(n) || most_bits(node) < 16) continue;
    SLUICE_ASSIGN(const pb::ModelProto rounded, with_rounded(whole, plan, node));
    SLUICE_ASSIGN(const double harm, judge.harm(rounded, kSamplesPerOperator));
    out.push_back({node.name(), node.op_type(), harm});
  }
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.harm > b.harm; });
  return out;
}

class Search {
 public:
  Search(const pb::ModelProto& network, const Statistics& statistics, const Scheme& scheme,
         const Judge& judge, const std::vector<RaisedOperator>& order)
      : network_(network), statistics_(statistics), scheme_(scheme), judge_(judge), order_(order) {}

  std::map<std::string, int> bits_of(std::size_t raised) const {
    std::map<std::string, int> out = scheme_.operator_bits;
    for (std::size_t i = 0; i < raised; ++i) out[order_[i].name] = 16;
    return out;
  }
  Result<Quality> quality(std::size_t raised) const {
    Scheme scheme = scheme_;
    scheme.operator_bits = bits_of(raised);
    SLUICE_ASSIGN(const QuantPlan plan, make_plan(network_.graph(), statistics_, scheme));
    pb::ModelProto model = network_;
    SLUICE_RETURN_IF_ERROR(insert_encodings(*model.mutable_graph(), plan, EdgeType::kFloat));
    return judge_.quality(model);
  }

 private:
  const pb::ModelProto& network_;
  const Statistics& statistics_;
  const Scheme& scheme_;
  const Judge& judge_;
  const std::vector<RaisedOperator>& order_;
};

}  // namespace

Result<MixedChoice> choose_mixed(const pb::ModelProto& network, const pb::ModelProto& whole,
                                 const Statistics& statistics, Scheme scheme, const Judge& judge,
                                 const Target& target) {
  scheme.bits = 8;
  SLUICE_ASSIGN(const QuantPlan plan, make_plan(network.graph(), statistics, scheme));
  SLUICE_ASSIGN(const auto order, measure_each(network, whole, plan, judge));
  const Search search(network, statistics, scheme, judge, order);
  MixedChoice out;
  out.candidates = static_cast<int>(order.size());
  SLUICE_ASSIGN(out.before, search.quality(0));
  out.after = out.before;
  std::size_t few = 0, many = order.size();  // `few` never reaches the target, `many` does or is all there is
  if (!target.met_by(out.before) && many > 0) {
    SLUICE_ASSIGN(out.after, search.quality(many));
    const bool reachable = target.met_by(out.after);
    while (reachable && many - few > 1) {
      const std::size_t middle = few + (many - few) / 2;
      SLUICE_ASSIGN(const Quality quality, search.quality(middle));
      if (target.met_by(quality)) {
        many = middle;
        out.after = quality;
      } else {
        few = middle;
      }
    }
  } else {
    many = 0;
  }
  out.operator_bits = search.bits_of(many);
  out.raised.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(many));
  return out;
}

}  // namespace sluice::quantize
