// Tensors that hold the same numbers in another order or size share one encoding.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "quantize/graph_index.h"
#include "quantize/onnx_proto.h"

namespace sluice::quantize {

class Groups {
 public:
  Groups(const pb::GraphProto& graph, const GraphIndex& index);

  // The tensor of the group that no member operator makes; the tensor itself when it stands alone.
  const std::string& root(const std::string& tensor) const;
  // Of the group with this root; the root itself first.
  std::vector<std::string> members(const std::string& root) const;
  // The operator only moves what its group holds.
  bool moves(int node) const { return movers_.at(static_cast<std::size_t>(node)); }

 private:
  std::map<std::string, std::string> roots_;  // of members other than the root
  std::map<std::string, std::vector<std::string>> members_;
  std::vector<bool> movers_;
};

}  // namespace sluice::quantize
