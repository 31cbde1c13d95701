#include "nodes/json/packet_json.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "nodes/decoders/tensor_view.h"
#include "nodes/json/json_text.h"
#include "nodes/pixels/linear_quant.h"

namespace sluice {
namespace {

constexpr int kPixelDecimals = 2;
constexpr int kScoreDecimals = 4;
constexpr int kGeometryDecimals = 6;

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

void append_point(std::string& out, const Point& p) {
  out += '[';
  append_decimal(out, p.x, kPixelDecimals);
  out += ", ";
  append_decimal(out, p.y, kPixelDecimals);
  out += ']';
}

void append_keypoints(std::string& out, const std::vector<Point>& points) {
  out += ", \"keypoints\": [";
  for (const Point& p : points) {
    if (out.back() != '[') out += ", ";
    append_point(out, p);
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

void append(std::string& out, const TextRegions& regions) {
  out += '[';
  for (const TextRegion& region : regions) {
    out += out.back() == '[' ? "{\"text\": " : ", {\"text\": ";
    append_text(out, region.text);
    out += ", \"score\": ";
    append_decimal(out, region.score, kScoreDecimals);
    out += ", \"box\": [";
    for (const Point& p : region.box) {
      if (out.back() != '[') out += ", ";
      append_point(out, p);
    }
    out += "]}";
  }
  out += ']';
}

// Lengths of runs, column by column, of what `covers` turns down and takes in turn.
template <typename F>
void append_runs(std::string& out, const Mask& mask, F&& covers) {
  const auto columns = static_cast<std::size_t>(mask.geometry.grid_width);
  const auto rows = static_cast<std::size_t>(mask.geometry.grid_height);
  out += "\"counts\": [";
  bool covered = false;
  std::int64_t length = 0;
  const auto end_run = [&] {
    if (out.back() != '[') out += ", ";
    append_integer(out, length);
  };
  for (std::size_t c = 0; c < columns; ++c) {
    for (std::size_t r = 0; r < rows; ++r, ++length) {
      if (covers(mask.values[r * columns + c]) == covered) continue;
      end_run();
      covered = !covered;
      length = 0;
    }
  }
  end_run();
  out += ']';
}

template <typename F>
void append_area(std::string& out, const Mask& mask, F&& covers) {
  const Geometry& g = mask.geometry;
  out += ", \"size\": [";
  append_integer(out, g.grid_height);
  out += ", ";
  append_integer(out, g.grid_width);
  out += "], ";
  append_runs(out, mask, covers);
  out += ", \"to_source\": [";
  for (const double v : {g.xx, g.xy, g.x0, g.yx, g.yy, g.y0}) {
    if (out.back() != '[') out += ", ";
    append_decimal(out, v, kGeometryDecimals);
  }
  out += "]}";
}

void append_index(std::string& out, const Masks& masks, int index) {
  out += out.back() == '[' ? "{" : ", {";
  append_label(out, masks.labels, index);
  out += ", \"index\": ";
  append_integer(out, index);
}

// One entry per class that occurs.
void append_label_map(std::string& out, const Masks& masks, const Mask& map) {
  std::array<bool, 256> occurs{};
  for (const std::uint8_t v : map.values) occurs[v] = true;
  for (int label = 0; label < Masks::kNothing; ++label) {
    if (label == masks.background || !occurs[static_cast<std::size_t>(label)]) continue;
    append_index(out, masks, label);
    append_area(out, map, [label](std::uint8_t v) { return v == label; });
  }
}

void append(std::string& out, const Masks& masks) {
  out += '[';
  for (const Mask& mask : masks) {
    const Geometry& g = mask.geometry;
    const auto cells = static_cast<std::size_t>(std::max(g.grid_width, 0)) *
                       static_cast<std::size_t>(std::max(g.grid_height, 0));
    if (mask.values.size() != cells) continue;
    if (masks.kind == Masks::Kind::kLabelMap) {
      append_label_map(out, masks, mask);
      continue;
    }
    append_index(out, masks, mask.label);
    out += ", \"score\": ";
    append_decimal(out, mask.score, kScoreDecimals);
    append_area(out, mask, [](std::uint8_t v) { return v >= Masks::kCovered; });
  }
  out += ']';
}

// Comma-separated, by `append_one(i)`.
template <typename F>
void append_elements(std::string& out, const Tensor& tensor, F&& append_one) {
  out += '[';
  for (std::size_t i = 0; i < tensor.bytes / size_of(tensor.type->dtype); ++i) {
    if (i > 0) out += ", ";
    append_one(i);
  }
  out += ']';
}

// Integers with a scale per index of one dimension, as real numbers.
void append_per_axis(std::string& out, const Tensor& tensor) {
  const QuantParams& quant = *tensor.type->quant;
  const pixels::ChannelView view = pixels::channel_view(tensor.type->shape, quant);
  with_elements(tensor, [&](const auto& elements) {
    append_elements(out, tensor, [&](std::size_t i) {
      const std::size_t channel = i / view.inner % view.channels;
      append_float(out,
                   static_cast<float>(elements.raw(i) - quant.zero_point[channel]) * quant.scale[channel]);
    });
  });
}

// Real numbers; plain integers and truth values stay what they are.
void append_values(std::string& out, const Tensor& tensor) {
  const TensorType& type = *tensor.type;
  if (type.dtype == DType::kFloat64) {
    const auto* values = reinterpret_cast<const double*>(tensor.data);
    append_elements(out, tensor, [&](std::size_t i) { append_float(out, values[i]); });
  } else if (type.dtype == DType::kBool) {
    append_elements(out, tensor,
                    [&](std::size_t i) { out += tensor.data[i] != std::byte{0} ? "true" : "false"; });
  } else if (type.quant && !type.quant->per_tensor()) {
    append_per_axis(out, tensor);
  } else {
    with_elements(tensor, [&](const auto& elements) {
      append_elements(out, tensor, [&](std::size_t i) {
        if constexpr (std::remove_cvref_t<decltype(elements)>::kIsInteger) {
          if (!type.quant) return append_integer(out, elements.raw(i));
        }
        append_float(out, elements[i]);
      });
    });
  }
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
  append_values(out, tensor);
  out += '}';
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
  if (type == payload_type<TextRegions>()) return "text";
  if (type == payload_type<Masks>()) return "masks";
  if (type == payload_type<Tensor>()) return "tensor";
  if (type == payload_type<Image>()) return "image";
  return {};
}

void append_packet(std::string& out, const Packet& packet) {
  if (const auto* detections = packet.get<Detections>())
    append(out, *detections);
  else if (const auto* classes = packet.get<Classes>())
    append(out, *classes);
  else if (const auto* text = packet.get<TextRegions>())
    append(out, *text);
  else if (const auto* masks = packet.get<Masks>())
    append(out, *masks);
  else if (const auto* tensor = packet.get<Tensor>())
    append(out, *tensor);
  else if (const auto* image = packet.get<Image>())
    append(out, *image);
  else
    out += "null";
}

}  // namespace sluice
