#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "framework/node/node.h"
#include "nodes/declare.h"
#include "nodes/decoders/decoder.h"
#include "nodes/decoders/tensor_view.h"
#include "nodes/labels.h"
#include "nodes/post_nodes.h"

namespace sluice {
namespace {

// The number of classes: the one dimension that is not 1; 0 when there are more.
std::size_t class_count(const TensorType& type) {
  std::size_t count = 1;
  for (const std::int64_t dim : frame_dims(type)) {
    if (dim < 1 || (dim > 1 && count > 1)) return 0;
    if (dim > 1) count = static_cast<std::size_t>(dim);
  }
  return count;
}

Status check_type(const PortType& port, std::size_t label_count) {
  if (!port.tensor) return invalid("classify needs a tensor of one score per class");
  const std::size_t count = class_count(*port.tensor);
  if (count == 0 || !is_readable(*port.tensor)) {
    return invalid(
        fmt::format("classify cannot read {}; it takes one score per class, such as float32 1x1000",
                    port.tensor->text()));
  }
  if (label_count > 0 && label_count != count) {
    return invalid(
        fmt::format("option 'labels' has {} names, but the model has {} classes", label_count, count));
  }
  return {};
}

Result<std::vector<PortType>> infer_types(const TypeContext& context) {
  SLUICE_ASSIGN(const std::vector<std::string> labels, read_labels(context.options()));
  for (const PortType& port : context.inputs(0)) SLUICE_RETURN_IF_ERROR(check_type(port, labels.size()));
  PortType out;
  out.kind = PortKind::kClasses;
  out.payload = payload_type<Classes>();
  out.name = "classes";
  return std::vector<PortType>{out};
}

bool reads_itself(const TypeContext&, FoldDirection direction, const TensorType& type) {
  return direction == FoldDirection::kInput && is_integer(type.dtype) && type.quant && is_readable(type);
}

void apply_softmax(std::vector<float>& scores) {
  const float most = *std::max_element(scores.begin(), scores.end());
  float sum = 0;
  for (float& score : scores) sum += score = std::exp(score - most);
  for (float& score : scores) score /= sum;
}

// classify: the best classes of a classification model.
//
// Inputs   tensor   one score per class, [1,c] (further dimensions of 1 allowed): float32, float16, or
//                   integers quantised per tensor, which are read as they are
// Outputs  classes  the top_k best, best first; of equal scores the lower index first
// Options  top_k    1..1000, default 5, live
//          labels   list or file, one name per class, default the numbers
//          softmax  auto, on, off; default auto: once a score lies outside of 0..1
// Drops    nothing; fails a frame with a score that is not finite
// Thread   worker
class Classify final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Finds the best classes in the output of a classification model.");
    d.input("tensor", PortKind::kTensor).help("One score per class.");
    d.output("classes", PortKind::kClasses).help("The best classes, best first.").prepare =
        [](void* value, const Options& options) {
          static_cast<Classes*>(value)->items.resize(static_cast<std::size_t>(options.integer("top_k")));
        };
    d.option("top_k", 5).range(1, 1000).can_change().help("How many classes.");
    declare_labels(d);
    OptionDeclaration& softmax = d.option("softmax", OptionKind::kChoice).any_of({"auto", "on", "off"});
    softmax.help("Turn raw scores into probabilities; auto: once one lies outside of 0..1.").fallback =
        OptionValue{std::string("auto")};
    d.infer_types = infer_types;
    d.fold = reads_itself;
  }

  Status open(const OpenContext& context) override {
    SLUICE_ASSIGN(labels_, read_labels(*context.options));
    softmax_ = context.options->text("softmax") == "on";
    auto_ = context.options->text("softmax") == "auto";
    for (const NodeRoute& route : context.routes) {
      const PortType& port = route.inputs.at(0).at(0);
      SLUICE_RETURN_IF_ERROR(check_type(port, labels_.size()));
      scores_.reserve(class_count(*port.tensor));
      order_.reserve(class_count(*port.tensor));
    }
    return {};
  }

  Status process(Context& context) override {
    const Tensor* tensor = context.input<Tensor>();
    if (!tensor) return failed("classify got a frame without a tensor");
    SLUICE_RETURN_IF_ERROR(read(*tensor));
    if (softmax_) apply_softmax(scores_);
    SLUICE_ASSIGN(Packet packet, context.make());
    Classes& classes = *packet.edit<Classes>();
    classes.labels = &labels_;
    pick(static_cast<std::size_t>(context.options().integer("top_k")), classes);
    context.emit(std::move(packet));
    return {};
  }

 private:
  Status read(const Tensor& tensor) {
    scores_.resize(class_count(*tensor.type));
    with_elements(tensor, [this](const auto& elements) {
      for (std::size_t i = 0; i < scores_.size(); ++i) scores_[i] = elements[i];
    });
    for (std::size_t i = 0; i < scores_.size(); ++i) {
      if (!std::isfinite(scores_[i])) return failed(fmt::format("the score of class {} is not finite", i));
      // Quantised probabilities may round a little above 1. Once logits, always logits.
      if (auto_ && (scores_[i] < 0 || scores_[i] > 1.01F)) softmax_ = true;
    }
    return {};
  }

  void pick(std::size_t top_k, Classes& classes) {
    order_.resize(scores_.size());
    for (std::size_t i = 0; i < order_.size(); ++i) order_[i] = static_cast<int>(i);
    classes.count = std::min(top_k, order_.size());
    const auto score = [this](int index) { return scores_[static_cast<std::size_t>(index)]; };
    std::partial_sort(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(classes.count),
                      order_.end(),
                      [&](int a, int b) { return score(a) != score(b) ? score(a) > score(b) : a < b; });
    if (classes.items.size() < classes.count) classes.items.resize(classes.count);
    for (std::size_t i = 0; i < classes.count; ++i) {
      classes.items[i] = {order_[i], score(order_[i])};
    }
  }

  std::vector<std::string> labels_;
  std::vector<float> scores_;
  std::vector<int> order_;
  bool softmax_ = false;
  bool auto_ = false;
};

}  // namespace

NodeDeclaration classify_declaration() { return declare<Classify>("classify"); }

}  // namespace sluice
