#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "framework/node/node.h"
#include "nodes/declare.h"
#include "nodes/decoders/blazeface.h"
#include "nodes/decoders/nms.h"
#include "nodes/decoders/ssd.h"
#include "nodes/decoders/tensor_view.h"
#include "nodes/decoders/yolo.h"
#include "nodes/labels.h"
#include "nodes/post_nodes.h"

namespace sluice {
namespace {

Result<DecoderPtr> make_decoder(const Options& options, std::span<const TensorType> types,
                                std::size_t label_count) {
  const std::string& decoder = options.text("decoder");
  if (decoder == "blazeface") return make_blazeface(types);
  if (decoder == "yolo") return make_yolo(types, label_count);
  const std::string& order = options.text("box_order");
  SsdOptions ssd;
  ssd.order = order == "yxyx" ? BoxOrder::kYxyx : order == "xyxy" ? BoxOrder::kXyxy : BoxOrder::kAuto;
  ssd.unit = options.text("box_unit") == "pixels" ? BoxUnit::kPixels : BoxUnit::kParts;
  ssd.label_count = label_count;
  return make_ssd(types, ssd);
}

// The names to use where the file gives none.
Result<std::vector<std::string>> labels_of(const Options& options) {
  SLUICE_ASSIGN(std::vector<std::string> labels, read_labels(options));
  if (labels.empty() && options.text("decoder") == "blazeface") labels.emplace_back("face");
  return labels;
}

std::vector<TensorType> types_of(const std::vector<PortType>& edges) {
  std::vector<TensorType> types;
  types.reserve(edges.size());
  for (const PortType& edge : edges) types.push_back(edge.tensor ? *edge.tensor : TensorType{});
  return types;
}

Result<std::vector<PortType>> infer_types(const TypeContext& context) {
  SLUICE_ASSIGN(const std::vector<std::string> labels, labels_of(context.options()));
  SLUICE_RETURN_IF_ERROR(
      make_decoder(context.options(), types_of(context.inputs(0)), labels.size()).status());
  PortType out;
  out.kind = PortKind::kDetections;
  out.payload = payload_type<Detections>();
  out.name = "detections";
  return std::vector<PortType>{out};
}

// Quantised outputs are read as they are, so a `dequantize` in between would only cost time.
bool reads_itself(const TypeContext&, FoldDirection direction, const TensorType& type) {
  return direction == FoldDirection::kInput && is_integer(type.dtype) && type.quant && is_readable(type);
}

// So that no frame makes a packet grow: every detection the options allow, with BlazeFace's keypoints.
void prepare_packet(void* value, const Options& options) {
  auto& detections = *static_cast<Detections*>(value);
  detections.items.resize(static_cast<std::size_t>(options.integer("max_detections")));
  if (options.text("decoder") != "blazeface") return;
  constexpr std::size_t kKeypoints = 6;
  for (Detection& detection : detections.items) detection.keypoints.reserve(kKeypoints);
}

// Upright source pixels.
struct Box {
  double x0, y0, x1, y1;
  // Also of what is not finite.
  bool empty() const { return !(static_cast<float>(x1 - x0) > 0 && static_cast<float>(y1 - y0) > 0); }
};

// From grid pixels, clipped to the picture; empty when nothing of the box lies in it.
Box place(const Candidate& from, const Geometry& g) {
  const auto map = [&g](double x, double y) {
    return std::pair{g.xx * x + g.xy * y + g.x0, g.yx * x + g.yy * y + g.y0};
  };
  const std::pair<double, double> corners[] = {map(from.x0, from.y0), map(from.x1, from.y0),
                                               map(from.x0, from.y1), map(from.x1, from.y1)};
  Box box{corners[0].first, corners[0].second, corners[0].first, corners[0].second};
  for (const auto& [x, y] : corners) {
    box.x0 = std::min(box.x0, x), box.x1 = std::max(box.x1, x);
    box.y0 = std::min(box.y0, y), box.y1 = std::max(box.y1, y);
  }
  box.x0 = std::clamp(box.x0, 0.0, static_cast<double>(g.source_width));
  box.x1 = std::clamp(box.x1, 0.0, static_cast<double>(g.source_width));
  box.y0 = std::clamp(box.y0, 0.0, static_cast<double>(g.source_height));
  box.y1 = std::clamp(box.y1, 0.0, static_cast<double>(g.source_height));
  return box;
}

void fill(const Box& box, const Candidate& from, Detection& to) {
  to.x = static_cast<float>(box.x0);
  to.y = static_cast<float>(box.y0);
  to.width = static_cast<float>(box.x1 - box.x0);
  to.height = static_cast<float>(box.y1 - box.y0);
  to.score = from.score;
  to.label = from.label;
}

// detect: boxes, scores, labels and keypoints from a detector's output tensors.
//
// Inputs   tensors     the model's outputs, in any order: float32, float16, or integers quantised per tensor,
//                      which are read as they are; shapes per decoder (nodes/decoders/*.h); they carry the
//                      geometry of the picture
// Outputs  detections  one packet per frame, best score first: boxes clipped to the upright source picture,
//                      keypoints not clipped; boxes outside of it are left out, as if the model had not given
//                      them
// Options  decoder         blazeface, yolo, ssd; required
//          min_score       0..1, default 0.5, live: candidates below it are never looked at
//          iou             0..1, default 0.3, live: boxes of one label that overlap more are one object
//          max_detections  1..10000, default 100, live
//          labels          list or file, default "face" for blazeface, else the numbers
//          nms             weighted or hard; default weighted for blazeface, else hard
//          box_order       auto, yxyx or xyxy, for ssd; default auto
//          box_unit        parts or pixels of the model's input, for ssd; default parts
// Drops    nothing; fails a frame whose scores are no probabilities, whose boxes are in pixels unannounced,
//          or whose tensors do not come from a picture
// Thread   worker
class Detect final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Finds objects in the outputs of a detection model.");
    d.input("tensors", PortKind::kTensorSet).help("All outputs of the model.");
    d.output("detections", PortKind::kDetections)
        .help("Boxes in pixels of the source frame, best score first.")
        .prepare = prepare_packet;
    d.option("decoder", OptionKind::kChoice)
        .any_of({"blazeface", "yolo", "ssd"})
        .must()
        .help("How the model's outputs are to be read.");
    d.option("min_score", 0.5).range(0, 1).can_change().help("Least score of a detection.");
    d.option("iou", 0.3).range(0, 1).can_change().help("Boxes that overlap more than this are one object.");
    d.option("max_detections", 100)
        .range(1, 10000)
        .can_change()
        .help("Most detections per frame, best first.");
    declare_labels(d);
    d.option("nms", OptionKind::kChoice)
        .any_of({"weighted", "hard"})
        .help(
            "Average the boxes of one object, or keep its best; default: weighted for blazeface, else hard.");
    OptionDeclaration& order = d.option("box_order", OptionKind::kChoice)
                                   .any_of({"auto", "yxyx", "xyxy"})
                                   .help(
                                       "ssd: order of a box's corners; auto: yxyx, but xyxy beside scores "
                                       "[1,n,c] or integer classes.");
    order.fallback = OptionValue{std::string("auto")};
    OptionDeclaration& unit = d.option("box_unit", OptionKind::kChoice)
                                  .any_of({"parts", "pixels"})
                                  .help("ssd: what corners are measured in, of the model's input.");
    unit.fallback = OptionValue{std::string("parts")};
    d.infer_types = infer_types;
    d.fold = reads_itself;
  }

  Status open(const OpenContext& context) override {
    SLUICE_ASSIGN(labels_, labels_of(*context.options));
    const bool blazeface = context.options->text("decoder") == "blazeface";
    weighted_ = context.options->has("nms") ? context.options->text("nms") == "weighted" : blazeface;
    const auto most = static_cast<std::size_t>(context.options->integer("max_detections"));
    for (const NodeRoute& route : context.routes) {
      const std::vector<TensorType> types = types_of(route.inputs.at(0));
      SLUICE_ASSIGN(DecoderPtr decoder, make_decoder(*context.options, types, labels_.size()));
      candidates_.reserve(std::max(decoder->max_candidates(), candidates_.boxes.capacity()),
                          decoder->points_per_box());
      suppression_.reserve(most, decoder->points_per_box());
      tensors_.resize(std::max(tensors_.size(), types.size()));
      routes_.push_back({std::move(decoder), types.size()});
    }
    return {};
  }

  Status process(Context& context) override {
    Route& route = routes_[context.route()];
    for (std::size_t edge = 0; edge < route.tensors; ++edge) tensors_[edge] = context.input<Tensor>(0, edge);
    const std::span<const Tensor* const> tensors(tensors_.data(), route.tensors);
    if (std::find(tensors.begin(), tensors.end(), nullptr) != tensors.end()) {
      return failed("detect got a frame without one of the model's outputs");
    }
    const Geometry& geometry = tensors.front()->geometry;
    if (geometry.grid_width <= 0 || geometry.grid_height <= 0) {
      return failed(
          "detect got tensors that do not come from a picture, so boxes have no place in one: let the "
          "model's "
          "input come from preprocess");
    }
    SLUICE_RETURN_IF_ERROR(find(route, tensors, context.options()));
    return send(context, geometry);
  }

 private:
  struct Route {
    DecoderPtr decoder;
    std::size_t tensors;
  };

  Status find(const Route& route, std::span<const Tensor* const> tensors, const Options& options) {
    candidates_.clear();
    candidates_.points_per_box = route.decoder->points_per_box();
    const auto min_score = static_cast<float>(options.number("min_score"));
    SLUICE_RETURN_IF_ERROR(route.decoder->decode(tensors, min_score, candidates_));
    // Before anything is counted or takes the place of another.
    const Geometry& geometry = tensors.front()->geometry;
    std::erase_if(candidates_.boxes, [&](const Candidate& box) { return place(box, geometry).empty(); });
    // A model that suppresses by itself has its boxes sorted and cut here: nothing overlaps more than 1.
    const float iou = route.decoder->needs_suppression() ? static_cast<float>(options.number("iou")) : 1.0F;
    const auto most = static_cast<std::size_t>(options.integer("max_detections"));
    if (weighted_ && route.decoder->needs_suppression())
      suppression_.weighted(candidates_, iou, most);
    else
      suppression_.hard(candidates_, iou, most);
    return {};
  }

  Status send(Context& context, const Geometry& geometry) {
    SLUICE_ASSIGN(Packet packet, context.make());
    Detections& found = *packet.edit<Detections>();
    found.labels = &labels_;
    for (const Candidate& box : candidates_.boxes) {
      const Box placed = place(box, geometry);
      if (placed.empty()) continue;
      Detection& detection = found.add();
      fill(placed, box, detection);
      for (std::size_t i = 0; i < candidates_.points_per_box; ++i) {
        const Point& p = candidates_.points[box.points + i];
        detection.keypoints.push_back(
            {static_cast<float>(geometry.xx * p.x + geometry.xy * p.y + geometry.x0),
             static_cast<float>(geometry.yx * p.x + geometry.yy * p.y + geometry.y0)});
      }
    }
    context.emit(std::move(packet));
    return {};
  }

  std::vector<std::string> labels_;
  std::vector<Route> routes_;
  std::vector<const Tensor*> tensors_;
  Candidates candidates_;
  Suppression suppression_;
  bool weighted_ = false;
};

}  // namespace

NodeDeclaration detect_declaration() { return declare<Detect>("detect"); }

}  // namespace sluice
