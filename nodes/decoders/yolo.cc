#include "nodes/decoders/yolo.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "nodes/decoders/tensor_view.h"

namespace sluice {
namespace {

constexpr std::size_t kBoxChannels = 4;
constexpr float kMostScore = 1.01F;  // quantised probabilities may round a little above 1

enum class Objectness : std::uint8_t { kYes, kNo, kBySize };

// How the one output is to be read.
struct Head {
  std::size_t boxes = 0;
  std::size_t channels = 0;
  bool channel_major = false;  // [1,c,n]
  Objectness objectness = Objectness::kBySize;
};

// Boxes of a v8 head: one per cell of strides 8, 16, 32 and, with `p6`, 64.
std::size_t cells_of(const Geometry& input, bool p6) {
  std::size_t cells = 0;
  for (int stride = 8; stride <= (p6 ? 64 : 32); stride *= 2) {
    cells += static_cast<std::size_t>(input.grid_width / stride) *
             static_cast<std::size_t>(input.grid_height / stride);
  }
  return cells;
}

// A number of boxes that is neither's leaves the exporters' habit: v5 writes [1,n,c], v8 [1,c,n].
bool has_objectness(const Head& head, const Geometry& input) {
  if (head.objectness != Objectness::kBySize) return head.objectness == Objectness::kYes;
  for (const bool p6 : {false, true}) {
    if (head.boxes == cells_of(input, p6)) return false;
    if (head.boxes == 3 * cells_of(input, p6)) return true;
  }
  return !head.channel_major;
}

class Yolo final : public Decoder {
 public:
  explicit Yolo(Head head)
      : head_(head),
        box_step_(head.channel_major ? 1 : head.channels),
        channel_step_(head.channel_major ? head.boxes : 1),
        hit_of_box_(head.boxes, kNoHit) {
    hits_.reserve(head.boxes);
  }

  std::size_t max_candidates() const override { return head_.boxes; }

  Status decode(std::span<const Tensor* const> tensors, float min_score, Candidates& out) override {
    const Tensor& tensor = *tensors.front();
    const bool objectness = has_objectness(head_, tensor.geometry);
    hits_.clear();
    with_elements(tensor, [&](const auto& elements) {
      if (objectness)
        scan_objects(elements, min_score);
      else
        scan_classes(elements, min_score);
    });
    return add_hits(tensor, out);
  }

 private:
  static constexpr std::uint32_t kNoHit = std::numeric_limits<std::uint32_t>::max();

  struct Hit {
    std::size_t box;
    float score;
    int label;
  };

  std::size_t at(std::size_t box, std::size_t channel) const {
    return box * box_step_ + channel * channel_step_;
  }

  // v5: most boxes fall at their objectness, which no score exceeds.
  template <typename E>
  void scan_objects(const E& elements, float min_score) {
    const auto floor = elements.floor_of(min_score);
    for (std::size_t box = 0; box < head_.boxes; ++box) {
      if (!(elements.raw(at(box, kBoxChannels)) >= floor)) continue;
      Hit best{box, -1, 0};
      for (std::size_t c = kBoxChannels + 1; c < head_.channels; ++c) {
        const float score = elements[at(box, c)];
        if (score > best.score) best = {box, score, static_cast<int>(c - kBoxChannels - 1)};
      }
      best.score *= elements[at(box, kBoxChannels)];
      if (best.score >= min_score) hits_.push_back(best);
    }
  }

  // v8: in the order of memory, so that the scan of [1,c,n] stays one pass.
  template <typename E>
  void scan_classes(const E& elements, float min_score) {
    const auto floor = elements.floor_of(min_score);
    const auto look = [&](std::size_t box, std::size_t channel) {
      const std::size_t i = at(box, channel);
      if (elements.raw(i) >= floor) note(box, elements[i], static_cast<int>(channel - kBoxChannels));
    };
    if (head_.channel_major) {
      for (std::size_t c = kBoxChannels; c < head_.channels; ++c) {
        for (std::size_t box = 0; box < head_.boxes; ++box) look(box, c);
      }
    } else {
      for (std::size_t box = 0; box < head_.boxes; ++box) {
        for (std::size_t c = kBoxChannels; c < head_.channels; ++c) look(box, c);
      }
    }
    for (const Hit& hit : hits_) hit_of_box_[hit.box] = kNoHit;
  }

  void note(std::size_t box, float score, int label) {
    std::uint32_t& index = hit_of_box_[box];
    if (index == kNoHit) {
      index = static_cast<std::uint32_t>(hits_.size());
      hits_.push_back({box, score, label});
    } else if (score > hits_[index].score) {
      hits_[index] = {box, score, label};
    }
  }

  Status add_hits(const Tensor& tensor, Candidates& out) const {
    for (const Hit& hit : hits_) {
      const float x = element(tensor, at(hit.box, 0)), y = element(tensor, at(hit.box, 1));
      const float w = element(tensor, at(hit.box, 2)), h = element(tensor, at(hit.box, 3));
      if (!std::isfinite(x + y + w + h + hit.score) || w <= 0 || h <= 0) continue;
      if (hit.score > kMostScore) {
        return failed(
            fmt::format("decoder 'yolo' found a score of {:.3g}, scores are 0..1: export the model with its "
                        "last activation",
                        hit.score));
      }
      out.boxes.push_back({x - w / 2, y - h / 2, x + w / 2, y + h / 2, std::min(hit.score, 1.0F), hit.label,
                           static_cast<std::uint32_t>(hit.box), 0});
    }
    return {};
  }

  Head head_;
  std::size_t box_step_;
  std::size_t channel_step_;
  std::vector<std::uint32_t> hit_of_box_;  // index into hits_, kNoHit outside a scan
  std::vector<Hit> hits_;
};

// `channels` read as c, when that fits; label_count 0: unknown.
std::optional<Objectness> objectness_of(std::size_t channels, std::size_t label_count) {
  if (label_count > 0) {
    if (channels == kBoxChannels + label_count) return Objectness::kNo;
    if (channels == kBoxChannels + 1 + label_count) return Objectness::kYes;
    return std::nullopt;
  }
  if (channels <= kBoxChannels) return std::nullopt;
  return channels == kBoxChannels + 1 ? Objectness::kNo : Objectness::kBySize;
}

}  // namespace

Result<DecoderPtr> make_yolo(std::span<const TensorType> types, std::size_t label_count) {
  const std::vector<std::int64_t> dims =
      types.size() == 1 ? frame_shape(types[0]) : std::vector<std::int64_t>{};
  if (dims.size() != 2 || dims[0] < 1 || dims[1] < 1 || !is_readable(types[0])) {
    return invalid(
        fmt::format("decoder 'yolo' cannot read outputs of {}; it takes one output [1,n,c] or [1,c,n] of n "
                    "boxes with c channels, such as 1x84x8400 or 1x25200x85",
                    shapes_text(types)));
  }
  const auto first = static_cast<std::size_t>(dims[0]), second = static_cast<std::size_t>(dims[1]);
  const bool first_is_less = first < second;
  for (const bool channel_major : {first_is_less, !first_is_less}) {
    const std::size_t channels = channel_major ? first : second;
    const std::optional<Objectness> objectness = objectness_of(channels, label_count);
    if (objectness) {
      return DecoderPtr(
          std::make_unique<Yolo>(Head{first * second / channels, channels, channel_major, *objectness}));
    }
    if (label_count == 0) break;  // the larger dimension is c only where the names say so
  }
  const std::size_t channels = std::min(first, second);
  if (label_count == 0) {
    return invalid(
        fmt::format("decoder 'yolo' cannot read an output of {}: {} channels, at least 5 are needed (a box "
                    "and one class)",
                    shapes_text(types), channels));
  }
  return invalid(
      fmt::format("option 'labels' has {} names, but the model's output {} has {} channels: {} classes, or "
                  "{} with an objectness",
                  label_count, shapes_text(types), channels, channels - std::min(channels, kBoxChannels),
                  channels - std::min(channels, kBoxChannels + 1)));
}

}  // namespace sluice
