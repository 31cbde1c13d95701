#include "quantize/fuse_gelu.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "quantize/graph_index.h"
#include "quantize/tensor_data.h"

namespace sluice::quantize {
namespace {

// Follows the operators around one Erf, and remembers which they are.
class Match {
 public:
  Match(const pb::GraphProto& graph, const GraphIndex& index) : graph_(graph), index_(index) {}

  bool around(int erf);
  const std::string& input() const { return x_; }
  const std::set<int>& nodes() const { return nodes_; }
  int last() const { return last_; }

 private:
  bool take(int n) { return nodes_.insert(last_ = n).second; }
  bool is_number(const std::string& tensor, double wanted) const;
  // The other input of a commutative operator.
  static const std::string& other(const pb::NodeProto& node, const std::string& input) {
    return node.input(node.input(0) == input ? 1 : 0);
  }
  // What node `n` multiplies by `factor` (or divides by its inverse).
  std::optional<std::string> scaled(int n, double factor) const;
  // The only reader of what node `n` makes, if it is of this type.
  int reader(int n, std::string_view type) const;
  bool halved(int n);

  const pb::GraphProto& graph_;
  const GraphIndex& index_;
  std::string x_;
  std::set<int> nodes_;
  int last_ = -1;
};

bool Match::is_number(const std::string& tensor, double wanted) const {
  const pb::TensorProto* const constant = index_.initializer(tensor);
  if (!constant || elements_of(*constant) != 1) return false;
  const auto values = floats_of(*constant);
  constexpr double kRounded = 1e-3;  // to float16
  return values.ok() && std::abs(values->front() - wanted) < kRounded;
}

std::optional<std::string> Match::scaled(int n, double factor) const {
  if (n < 0) return std::nullopt;
  const pb::NodeProto& node = graph_.node(n);
  if (node.input_size() != 2) return std::nullopt;
  if (node.op_type() == "Div" && is_number(node.input(1), 1 / factor)) return node.input(0);
  if (node.op_type() != "Mul") return std::nullopt;
  if (is_number(node.input(1), factor)) return node.input(0);
  if (is_number(node.input(0), factor)) return node.input(1);
  return std::nullopt;
}

int Match::reader(int n, std::string_view type) const {
  const std::string& tensor = graph_.node(n).output(0);
  const auto& uses = index_.uses(tensor);
  if (uses.size() != 1 || index_.is_output(tensor)) return -1;
  return graph_.node(uses[0].node).op_type() == type ? uses[0].node : -1;
}

// From 1 + Erf on: times x and one half, in any order.
bool Match::halved(int n) {
  const std::string sum = graph_.node(n).output(0);
  int next = reader(n, "Mul");
  if (next < 0) next = reader(n, "Div");
  if (next < 0 || !take(next)) return false;
  if (scaled(next, 0.5) == sum) {
    const int product = reader(next, "Mul");
    return product >= 0 && other(graph_.node(product), graph_.node(next).output(0)) == x_ && take(product);
  }
  if (graph_.node(next).op_type() != "Mul") return false;
  const std::string& factor = other(graph_.node(next), sum);
  if (factor != x_) {
    const int half = index_.producer(factor);
    if (scaled(half, 0.5) != x_ || reader(half, "Mul") != next) return false;
    nodes_.insert(half);
    return true;
  }
  for (const std::string_view type : {"Mul", "Div"}) {
    const int half = reader(next, type);
    if (scaled(half, 0.5) == graph_.node(next).output(0)) return take(half);
  }
  return false;
}

bool Match::around(int erf) {
  const int root = index_.producer(graph_.node(erf).input(0));
  const auto x = scaled(root, std::sqrt(0.5));
  if (!x || reader(root, "Erf") != erf) return false;
  x_ = *x;
  nodes_ = {root, erf};
  const int sum = reader(erf, "Add");
  return sum >= 0 && is_number(other(graph_.node(sum), graph_.node(erf).output(0)), 1.0) && take(sum) &&
         halved(sum);
}

bool fuse_one(pb::GraphProto& graph) {
  const GraphIndex index(graph);
  for (int n = 0; n < graph.node_size(); ++n) {
    if (graph.node(n).op_type() != "Erf") continue;
    Match match(graph, index);
    if (!match.around(n)) continue;
    pb::NodeProto& gelu = *graph.mutable_node(match.last());
    gelu.set_op_type("Gelu");
    gelu.clear_attribute();
    gelu.clear_input();
    gelu.add_input(match.input());
    for (auto at = match.nodes().rbegin(); at != match.nodes().rend(); ++at) {
      if (*at != match.last()) graph.mutable_node()->DeleteSubrange(*at, 1);
    }
    return true;
  }
  return false;
}

}  // namespace

int fuse_gelu(pb::GraphProto& graph) {
  int found = 0;
  while (fuse_one(graph)) ++found;
  return found;
}

}  // namespace sluice::quantize
