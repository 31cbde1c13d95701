// Who makes and who reads each tensor of a graph. A snapshot: made anew after the graph has changed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "quantize/onnx_proto.h"

namespace sluice::quantize {

struct Use {
  int node = 0;   // index into graph.node
  int input = 0;  // which of its inputs
};

class GraphIndex {
 public:
  explicit GraphIndex(const pb::GraphProto& graph);

  // The node that makes the tensor; -1 for graph inputs, weights and unknown names.
  int producer(const std::string& tensor) const;
  const std::vector<Use>& uses(const std::string& tensor) const;
  const pb::TensorProto* initializer(const std::string& tensor) const;
  bool is_input(const std::string& tensor) const { return inputs_.contains(tensor); }
  bool is_output(const std::string& tensor) const { return outputs_.contains(tensor); }
  // Made while the model runs, and float32 as far as the file says.
  bool is_float_activation(const std::string& tensor) const;
  // None when the file gives no complete shape.
  std::optional<std::vector<std::int64_t>> shape(const std::string& tensor) const;

 private:
  std::map<std::string, int> producers_;
  std::map<std::string, std::vector<Use>> uses_;
  std::map<std::string, const pb::TensorProto*> initializers_;
  std::map<std::string, const pb::TypeProto_Tensor*> types_;
  std::set<std::string> inputs_, outputs_;
};

// Gives new tensors names that the graph does not have yet.
class Names {
 public:
  explicit Names(const pb::GraphProto& graph);
  // `wanted`, or that with a number behind it.
  std::string fresh(const std::string& wanted);

 private:
  std::set<std::string> taken_;
};

}  // namespace sluice::quantize
