#include "nodes/decoders/ssd.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "nodes/decoders/tensor_view.h"

namespace sluice {
namespace {

constexpr float kMostScore = 1.01F;  // quantised probabilities may round a little above 1
constexpr float kMostParts = 8;      // how far from the picture a box in parts of it may reach

// Which tensor is what, and how to read it.
struct Head {
  std::size_t boxes = 0;
  std::size_t scores = 0;
  std::optional<std::size_t> classes;
  std::optional<std::size_t> count;
  std::size_t rows = 0;
  std::size_t columns = 1;     // scores per box
  std::size_t background = 0;  // columns before the first class
  int first_label = 0;         // label of the first class's column
  bool x_first = false;
  bool pixels = false;
};

class Ssd final : public Decoder {
 public:
  explicit Ssd(Head head) : head_(head) {}

  std::size_t max_candidates() const override { return head_.rows * (head_.columns - head_.background); }
  bool needs_suppression() const override { return !head_.classes; }

  Status decode(std::span<const Tensor* const> tensors, float min_score, Candidates& out) override {
    const std::size_t rows = row_count(tensors);
    return with_elements(*tensors[head_.scores], [&](const auto& scores) -> Status {
      const auto floor = scores.floor_of(min_score);
      for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t column = head_.background; column < head_.columns; ++column) {
          const std::size_t i = row * head_.columns + column;
          if (scores.raw(i) >= floor) SLUICE_RETURN_IF_ERROR(add(tensors, row, column, scores[i], out));
        }
      }
      return {};
    });
  }

 private:
  std::size_t row_count(std::span<const Tensor* const> tensors) const {
    if (!head_.count) return head_.rows;
    const float count = element(*tensors[*head_.count], 0);
    return count > 0 ? static_cast<std::size_t>(std::min(count + 0.5F, static_cast<float>(head_.rows))) : 0;
  }

  Status add(std::span<const Tensor* const> tensors, std::size_t row, std::size_t column, float score,
             Candidates& out) const {
    const Tensor& boxes = *tensors[head_.boxes];
    const float width = head_.pixels ? 1 : static_cast<float>(boxes.geometry.grid_width);
    const float height = head_.pixels ? 1 : static_cast<float>(boxes.geometry.grid_height);
    const auto corner = [&](std::size_t i) { return element(boxes, row * 4 + i); };
    const std::size_t x = head_.x_first ? 0 : 1;
    Candidate box{corner(x) * width, corner(1 - x) * height, corner(2 + x) * width, corner(3 - x) * height};
    box.label = head_.first_label + static_cast<int>(column - head_.background);
    const float number = head_.classes ? element(*tensors[*head_.classes], row) : 0;
    if (!std::isfinite(box.x0 + box.y0 + box.x1 + box.y1 + score + number)) return {};
    if (box.x1 <= box.x0 || box.y1 <= box.y0) return {};
    if (!head_.pixels) SLUICE_RETURN_IF_ERROR(check_parts(boxes, row));
    if (score > kMostScore) {
      return failed(fmt::format(
          "decoder 'ssd' found a score of {:.3g}, scores are 0..1: export the model with its last "
          "activation",
          score));
    }
    if (head_.classes) box.label = static_cast<int>(std::lround(std::clamp(number, -1e6F, 1e6F)));
    box.score = std::min(score, 1.0F);
    box.order = static_cast<std::uint32_t>(row * head_.columns + column);
    out.boxes.push_back(box);
    return {};
  }

  static Status check_parts(const Tensor& boxes, std::size_t row) {
    for (std::size_t i = 0; i < 4; ++i) {
      const float corner = element(boxes, row * 4 + i);
      if (std::abs(corner) <= kMostParts) continue;
      return failed(fmt::format(
          "decoder 'ssd' found a box that reaches to {:g} times the picture: these are pixels; write option "
          "box_unit: pixels",
          corner));
    }
    return {};
  }

  Head head_;
};

// Elements of one frame; 0 for symbolic and empty shapes.
std::size_t elements_of(const TensorType& type) {
  std::size_t count = 1;
  for (const std::int64_t dim : frame_dims(type)) count *= dim > 0 ? static_cast<std::size_t>(dim) : 0;
  return count;
}

bool name_has(const TensorType& type, std::initializer_list<std::string_view> words) {
  std::string name = type.name;
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return name.find(word) != std::string::npos; });
}

bool is_box_list(const TensorType& type) {
  const std::vector<std::int64_t> dims = frame_shape(type);
  return dims.size() == 2 && dims[0] > 0 && dims[1] == 4;
}

// The boxes: [1,n,4]; of several such outputs the one named so, else the first.
std::optional<std::size_t> find_boxes(std::span<const TensorType> types) {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (!is_box_list(types[i])) continue;
    if (!found || (name_has(types[i], {"box"}) && !name_has(types[*found], {"box"}))) found = i;
  }
  return found;
}

bool is_number_per_class(const TensorType& type) {
  return is_integer(type.dtype) ? !type.quant.has_value() : type.dtype == DType::kInt64;
}

// Of two lists with one number per box: is it the second that holds the classes?
bool second_is_classes(const TensorType& first, const TensorType& second) {
  if (is_number_per_class(first) != is_number_per_class(second)) return is_number_per_class(second);
  if (name_has(first, {"score"}) || name_has(second, {"class", "label"})) return true;
  return false;
}

std::optional<Head> head_of(std::span<const TensorType> types) {
  const std::optional<std::size_t> boxes = find_boxes(types);
  if (!boxes || !std::all_of(types.begin(), types.end(), is_readable)) return std::nullopt;
  Head head;
  head.boxes = *boxes;
  head.rows = elements_of(types[*boxes]) / 4;
  std::vector<std::size_t> lists;  // a multiple of n elements
  for (std::size_t i = 0; i < types.size(); ++i) {
    const std::size_t count = elements_of(types[i]);
    if (i == *boxes) continue;
    if (count == 1 && head.rows > 1 && !head.count)
      head.count = i;
    else if (count > 0 && count % head.rows == 0)
      lists.push_back(i);
    else
      return std::nullopt;
  }
  if (head.rows == 1 && lists.size() == 3) {  // n is 1: the last of three single numbers counts
    head.count = lists.back();
    lists.pop_back();
  }
  if (lists.empty() || lists.size() > 2 || (head.count && lists.size() != 2)) return std::nullopt;
  head.scores = lists[0];
  if (lists.size() == 2) {
    const bool swapped = second_is_classes(types[lists[0]], types[lists[1]]);
    head.classes = lists[swapped ? 1 : 0];
    head.scores = lists[swapped ? 0 : 1];
    if (elements_of(types[*head.classes]) != head.rows) return std::nullopt;
  }
  head.columns = elements_of(types[head.scores]) / head.rows;
  if (head.classes && head.columns != 1) return std::nullopt;
  return head;
}

}  // namespace

Result<DecoderPtr> make_ssd(std::span<const TensorType> types, const SsdOptions& options) {
  const std::size_t label_count = options.label_count;
  std::optional<Head> head = head_of(types);
  if (!head) {
    return invalid(
        fmt::format("decoder 'ssd' cannot read outputs of {}; it takes boxes [1,n,4] with scores [1,n] or "
                    "[1,n,c], or boxes [1,n,4], classes [1,n], scores [1,n] and maybe their number [1]",
                    shapes_text(types)));
  }
  head->background = head->columns > 1 ? 1 : 0;
  head->first_label = label_count == head->columns ? static_cast<int>(head->background) : 0;
  if (head->columns > 1 && label_count > 0 && label_count != head->columns &&
      label_count + 1 != head->columns) {
    return invalid(
        fmt::format("option 'labels' has {} names, but the model's scores have {} columns: {} classes and "
                    "the background",
                    label_count, head->columns, head->columns - 1));
  }
  const bool integer_classes = head->classes && is_number_per_class(types[*head->classes]);
  head->pixels = options.unit == BoxUnit::kPixels;
  head->x_first = options.order == BoxOrder::kXyxy ||
                  (options.order == BoxOrder::kAuto && (head->columns > 1 || integer_classes));
  return DecoderPtr(std::make_unique<Ssd>(*head));
}

}  // namespace sluice
