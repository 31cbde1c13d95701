#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "framework/node/node.h"
#include "nodes/declare.h"
#include "nodes/draw/canvas.h"
#include "nodes/draw/font.h"
#include "nodes/draw/tint.h"
#include "nodes/post_nodes.h"

namespace sluice {
namespace {

constexpr std::size_t kDetections = 1, kClasses = 2, kText = 3, kMasks = 4;  // input ports
constexpr double kLineShare = 1.0 / 240;  // thickness, in parts of the shorter side
constexpr double kDotShare = 1.0 / 360;   // a dot of the font
constexpr std::array<Color, 8> kColors = {{{0, 220, 90},
                                           {255, 140, 0},
                                           {40, 140, 255},
                                           {230, 40, 60},
                                           {200, 80, 255},
                                           {255, 220, 0},
                                           {0, 210, 210},
                                           {255, 120, 180}}};
constexpr std::size_t kTextColor = 5;
constexpr Color kBlack{0, 0, 0}, kWhite{255, 255, 255};

// One short line of text, without allocation.
class Line {
 public:
  template <typename... Args>
  explicit Line(fmt::format_string<Args...> format, Args&&... args) {
    const auto end = fmt::format_to_n(text_.data(), text_.size(), format, std::forward<Args>(args)...);
    size_ = std::min(end.size, text_.size());
  }
  operator std::string_view() const { return {text_.data(), size_}; }  // NOLINT: implicit by design

 private:
  std::array<char, 80> text_;
  std::size_t size_;
};

Color color_of(int label) { return kColors[static_cast<std::size_t>(std::max(label, 0)) % kColors.size()]; }

Line label_line(const std::vector<std::string>* labels, int index, float score) {
  if (labels && index >= 0 && static_cast<std::size_t>(index) < labels->size()) {
    return Line("{} {:.2f}", (*labels)[static_cast<std::size_t>(index)], score);
  }
  return Line("{} {:.2f}", index, score);
}

// Where an instance begins, row by row, in source pixels; nothing for an empty one.
std::optional<Point> first_covered(const Mask& mask) {
  const Geometry& g = mask.geometry;
  const auto first = std::find_if(mask.values.begin(), mask.values.end(),
                                  [](std::uint8_t v) { return v >= Masks::kCovered; });
  if (first == mask.values.end() || g.grid_width <= 0) return std::nullopt;
  const auto index = static_cast<int>(first - mask.values.begin());
  const int column = index % g.grid_width, row = index / g.grid_width;
  const double x = column + 0.5, y = row + 0.5;
  return Point{static_cast<float>(g.xx * x + g.xy * y + g.x0),
               static_cast<float>(g.yx * x + g.yy * y + g.y0)};
}

int to_pixel(float value) {
  constexpr float kFarOutside = 1e6F;
  return std::isfinite(value) ? static_cast<int>(std::lround(std::clamp(value, -kFarOutside, kFarOutside)))
                              : static_cast<int>(kFarOutside);
}

// Frames per second over the last frames, on the run's clock.
class FpsMeter {
 public:
  void tick(TimeNs now) {
    times_[count_ % times_.size()] = now;
    ++count_;
  }
  double fps() const {
    if (count_ < 2) return 0;
    const std::size_t spans = std::min(count_, times_.size()) - 1;
    const TimeNs span = times_[(count_ - 1) % times_.size()] - times_[(count_ - 1 - spans) % times_.size()];
    return span > 0 ? static_cast<double>(spans) / to_s(span) : 0;
  }

 private:
  std::array<TimeNs, 32> times_{};
  std::size_t count_ = 0;
};

// draw: draws what was found into the picture.
//
// Inputs   image       a frame of any format, edited in place when nobody else reads it, else in a pooled
//                      copy
//          detections  boxes, labels, scores and keypoints in pixels of the upright frame; optional
//          classes     the best classes, as lines in the top left corner; optional
//          text        quadrilaterals around text, and what it says; optional
//          masks       areas of classes or objects, tinted under everything else; optional
// Outputs  frame       the picture, of the same type; rotation metadata stays, drawings stand upright
// Options  thickness   pixels, 1..100, default 1/240 of the shorter side, live
//          font_scale  0.1..20, default 1: letters 7/360 of the shorter side high; live
//          show_fps    frames per second that pass here, in the top right corner; default false, live
// Drops    nothing
// Thread   worker
class Draw final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Draws boxes, labels, keypoints, classes, text and masks into the picture.");
    d.input("image", PortKind::kFrame).edits().help("The picture to draw into.");
    d.input("detections", PortKind::kDetections).may_be_absent().help("Boxes, labels, scores, keypoints.");
    d.input("classes", PortKind::kClasses).may_be_absent().help("Lines in the top left corner.");
    d.input("text", PortKind::kText).may_be_absent().help("Text with the quadrilateral around it.");
    d.input("masks", PortKind::kMasks).may_be_absent().help("Areas of classes or objects, tinted.");
    d.output("frame", PortKind::kFrame).help("The picture with the drawings.");
    d.option("thickness", OptionKind::kInteger)
        .in_unit("px")
        .range(1, 100)
        .can_change()
        .help("Of the lines; default: 1/240 of the picture's shorter side.");
    d.option("font_scale", 1.0)
        .range(0.1, 20)
        .can_change()
        .help("Size of letters; 1: 7/360 of the shorter side.");
    d.option("show_fps", false).can_change().help("Show how many frames per second pass here.");
    d.infer_types = [](const TypeContext& context) {
      return Result<std::vector<PortType>>({same_as_input(context, "frame")});
    };
  }

  Status process(Context& context) override {
    SLUICE_ASSIGN(Packet packet, context.take_for_edit(0));
    Image* image = packet.edit<Image>();
    if (!image) return failed("draw got a frame without a picture");
    Canvas canvas(*image);
    set_sizes(canvas, context.options());
    if (const auto* masks = context.input<Masks>(kMasks)) draw(canvas, *image, *masks);
    if (const auto* text = context.input<TextRegions>(kText)) draw(canvas, *text);
    if (const auto* found = context.input<Detections>(kDetections)) draw(canvas, *found);
    if (const auto* classes = context.input<Classes>(kClasses)) draw(canvas, *classes);
    meter_.tick(context.clock().now());
    if (context.options().flag("show_fps")) draw_fps(canvas);
    context.emit(std::move(packet));
    return {};
  }

 private:
  void set_sizes(const Canvas& canvas, const Options& options) {
    const double side = std::min(canvas.width(), canvas.height());
    thickness_ = options.has("thickness") ? static_cast<int>(options.integer("thickness"))
                                          : std::max(1, static_cast<int>(std::lround(side * kLineShare)));
    dot_ = std::max(1, static_cast<int>(std::lround(side * kDotShare * options.number("font_scale"))));
  }

  int line_height() const { return (kGlyphHeight + 2) * dot_; }

  // Text on a coloured ground; (x, y) is the ground's top left corner.
  void draw_line(Canvas& canvas, int x, int y, std::string_view words, Color ground) const {
    canvas.fill(x, y, x + text_width(words, dot_) + 2 * dot_, y + line_height(), ground);
    const bool bright = 2 * ground.red + 5 * ground.green + ground.blue > 8 * 128;
    canvas.text(x + dot_, y + dot_, words, dot_, bright ? kBlack : kWhite);
  }

  void draw(Canvas& canvas, const Detections& detections) const {
    for (const Detection& d : detections) {
      const Color color = color_of(d.label);
      const int x0 = to_pixel(d.x), y0 = to_pixel(d.y);
      canvas.frame(x0, y0, to_pixel(d.x + d.width), to_pixel(d.y + d.height), thickness_, color);
      for (const Point& p : d.keypoints) {
        const int x = to_pixel(p.x), y = to_pixel(p.y);
        canvas.fill(x - thickness_, y - thickness_, x + thickness_, y + thickness_, color);
      }
      const int above = y0 - thickness_ / 2 - line_height();
      draw_line(canvas, x0 - thickness_ / 2, above >= 0 ? above : std::max(y0, 0),
                label_line(detections.labels, d.label, d.score), color);
    }
  }

  void draw(Canvas& canvas, Image& image, const Masks& masks) const {
    for (const Mask& mask : masks) tint(image, masks, mask, kColors);
    if (masks.kind == Masks::Kind::kLabelMap) return;
    for (const Mask& mask : masks) {
      const std::optional<Point> top = first_covered(mask);
      if (!top) continue;
      draw_line(canvas, std::max(to_pixel(top->x), 0), std::max(to_pixel(top->y), 0),
                label_line(masks.labels, mask.label, mask.score), color_of(mask.label));
    }
  }

  void draw(Canvas& canvas, const TextRegions& regions) const {
    for (const TextRegion& region : regions) {
      const Color color = kColors[kTextColor];
      for (std::size_t i = 0; i < region.box.size(); ++i) {
        canvas.line(region.box[i], region.box[(i + 1) % region.box.size()], thickness_, color);
      }
      if (region.text.empty()) continue;
      const int above = to_pixel(region.box[0].y) - thickness_ / 2 - line_height();
      draw_line(canvas, to_pixel(region.box[0].x) - thickness_ / 2, std::max(above, 0),
                Line("{} {:.2f}", region.text, region.score), color);
    }
  }

  void draw(Canvas& canvas, const Classes& classes) const {
    for (std::size_t i = 0; i < classes.count; ++i) {
      const Line line = label_line(classes.labels, classes.items[i].index, classes.items[i].score);
      draw_line(canvas, 0, static_cast<int>(i) * line_height(), line, kBlack);
    }
  }

  void draw_fps(Canvas& canvas) const {
    const Line line("{:.1f} fps", meter_.fps());
    draw_line(canvas, canvas.width() - text_width(line, dot_) - 2 * dot_, 0, line, kBlack);
  }

  FpsMeter meter_;
  int thickness_ = 1;
  int dot_ = 1;
};

}  // namespace

NodeDeclaration draw_declaration() { return declare<Draw>("draw"); }

}  // namespace sluice
