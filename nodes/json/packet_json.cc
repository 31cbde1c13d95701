#include "nodes/json/packet_json.h"

#include <cmath>
#include <vector>

#include "nodes/decoders/tensor_view.h"
#include "nodes/json/json_text.h"

namespace sluice {
namespace {

constexpr int kPixelDecimals = 2;
constexpr int kScoreDecimals = 4;

void append_label(std::string& out, const std::vector<std::string>* labels, int index) {
  out += "\"label\": ";
  if (labels && index >= 0 && static_cast<std::size_t>(index) < labels->size()) {
    append_text(out, (*labels)[static_cast<std::size_t>(index)]);
    return;
  }
  out += '"';
  append_integer(out, index);
  out += '"';
}

// Left, top, width, height. The far edges are rounded, not the sizes: left + width is not beyond what it was.
void append_box(std::string& out, const Detection& d) {
  const auto hundredths = [](double v) { return std::round(v * 100); };
  const double left = hundredths(d.x), top = hundredths(d.y);
  const double right = hundredths(static_cast<double>(d.x) + d.width);
  const double bottom = hundredths(static_cast<double>(d.y) + d.height);
  out += "\"box\": [";
  for (const double v : {left, top, right - left, bottom - top}) {
    if (out.back() != '[') out += ", ";
    append_decimal(out, v / 100, kPixelDecimals);
  }
  out += ']';
}

void append_keypoints(std::string& out, const std::vector<Point>& points) {
  out += ", \"keypoints\": [";
  for (const Point& p : points) {
    if (out.back() != '[') out += ", ";
    out += '[';
    append_decimal(out, p.x, kPixelDecimals);
    out += ", ";
    append_decimal(out, p.y, kPixelDecimals);
    out += ']';
  }
  out += ']';
}

void append(std::string& out, const Detections& detections) {
  out += '[';
  for (const Detection& d : detections) {
    out += out.back() == '[' ? "{" : ", {";
    append_label(out, detections.labels, d.label);
    out += ", \"score\": ";
    append_decimal(out, d.score, kScoreDecimals);
    out += ", ";
    append_box(out, d);
    if (!d.keypoints.empty()) append_keypoints(out, d.keypoints);
    out += '}';
  }
  out += ']';
}

void append(std::string& out, const Classes& classes) {
  out += '[';
  for (std::size_t i = 0; i < classes.count; ++i) {
    out += i == 0 ? "{" : ", {";
    append_label(out, classes.labels, classes.items[i].index);
    out += ", \"index\": ";
    append_integer(out, classes.items[i].index);
    out += ", \"score\": ";
    append_decimal(out, classes.items[i].score, kScoreDecimals);
    out += '}';
  }
  out += ']';
}

void append(std::string& out, const Tensor& tensor) {
  const TensorType& type = *tensor.type;
  out += "{\"dtype\": ";
  append_text(out, name_of(type.dtype));
  out += ", \"shape\": [";
  for (const std::int64_t dim : type.shape) {
    if (out.back() != '[') out += ", ";
    append_integer(out, dim);
  }
  out += "], \"values\": ";
  if (!is_readable(type)) {
    out += "null}";
    return;
  }
  out += '[';
  with_elements(tensor, [&](const auto& elements) {
    for (std::size_t i = 0; i < tensor.bytes / size_of(type.dtype); ++i) {
      if (i > 0) out += ", ";
      append_float(out, elements[i]);
    }
  });
  out += "]}";
}

void append(std::string& out, const Image& image) {
  out += "{\"width\": ";
  append_integer(out, image.type.upright_width());
  out += ", \"height\": ";
  append_integer(out, image.type.upright_height());
  out += ", \"format\": ";
  append_text(out, name_of(image.type.format));
  out += '}';
}

}  // namespace

std::string_view json_key(const PayloadType* type) {
  if (type == payload_type<Detections>()) return "detections";
  if (type == payload_type<Classes>()) return "classes";
  if (type == payload_type<Tensor>()) return "tensor";
  if (type == payload_type<Image>()) return "image";
  return {};
}

void append_packet(std::string& out, const Packet& packet) {
  if (const auto* detections = packet.get<Detections>())
    append(out, *detections);
  else if (const auto* classes = packet.get<Classes>())
    append(out, *classes);
  else if (const auto* tensor = packet.get<Tensor>())
    append(out, *tensor);
  else if (const auto* image = packet.get<Image>())
    append(out, *image);
  else
    out += "null";
}

}  // namespace sluice
