#include "quantize/run_sample.h"

#include <algorithm>

#include "quantize/graph_index.h"

namespace sluice::quantize {
namespace {

std::string text_of(const std::vector<std::int64_t>& dims) {
  std::string out;
  for (const std::int64_t dim : dims) out += (out.empty() ? "" : "x") + std::to_string(dim);
  return out;
}

std::string names_in(const Sample& sample) {
  std::string out;
  for (const SampleInput& input : sample) out += (out.empty() ? "" : ", ") + input.name;
  return out;
}

}  // namespace

Result<std::vector<ort::ArrayView>> arrange(const Sample& sample, const ort::Evaluator& evaluator,
                                            const pb::GraphProto& graph) {
  const GraphIndex index(graph);
  std::vector<ort::ArrayView> out;
  for (const std::string& name : evaluator.inputs()) {
    const auto found =
        std::find_if(sample.begin(), sample.end(), [&](const auto& s) { return s.name == name; });
    if (found == sample.end())
      return invalid("the data have no array for input '" + name + "'; they have: " + names_in(sample));
    const auto shape = index.shape(name);
    if (shape && *shape != found->shape)
      return invalid("input '" + name + "' is " + text_of(*shape) + ", the data give " +
                     text_of(found->shape));
    out.push_back({found->dtype, found->shape, found->data, found->bytes});
  }
  return out;
}

}  // namespace sluice::quantize
