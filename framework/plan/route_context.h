// What infer_types and fold may look at, for one node in one route.
#pragma once

#include "framework/plan/draft.h"

namespace sluice::planning {

// Valid while no node is inserted; reads the node's inputs as typed so far.
class RouteContext final : public TypeContext {
 public:
  RouteContext(Draft& draft, int node, std::size_t route) : d_(draft), node_(node), route_(route) {}

  const Options& options() const override;
  std::string_view node_id() const override;
  std::string_view variant() const override;
  std::vector<PortType> inputs(std::size_t port) const override;
  std::vector<std::string> input_names(std::size_t port) const override;
  Result<ModelSignature> model(std::string_view option) const override;
  std::shared_ptr<const TensorType> wanted_downstream() const override;

 private:
  Draft& d_;
  int node_;
  std::size_t route_;
};

}  // namespace sluice::planning
