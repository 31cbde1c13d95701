#include "nodes/decoders/blazeface.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "nodes/decoders/tensor_view.h"

namespace sluice {
namespace {

constexpr float kScoreClip = 100;       // of the raw score, as in MediaPipe
constexpr std::size_t kMaxValues = 64;  // per box: 4 and two per keypoint

// The outputs of one grid, or of both joined.
struct Head {
  std::size_t scores = 0;  // index of the tensor
  std::size_t boxes = 0;
  std::size_t count = 0;  // anchors
  std::size_t first = 0;  // its first anchor
};

// A raw score that gives `min_score` after clipping and the logistic function.
float raw_threshold(float min_score) { return std::min(std::log(min_score / (1 - min_score)), kScoreClip); }

class BlazeFace final : public Decoder {
 public:
  BlazeFace(std::vector<Head> heads, std::size_t grid, std::size_t values)
      : heads_(std::move(heads)), grid_(grid), values_(values) {}

  std::size_t max_candidates() const override { return 2 * grid_ * grid_ + 6 * (grid_ / 2) * (grid_ / 2); }
  std::size_t points_per_box() const override { return (values_ - 4) / 2; }

  Status decode(std::span<const Tensor* const> tensors, float min_score, Candidates& out) override {
    const float threshold = raw_threshold(min_score);
    for (const Head& head : heads_) {
      with_elements(*tensors[head.scores], [&](const auto& scores) {
        const auto floor = scores.floor_of(threshold);
        for (std::size_t i = 0; i < head.count; ++i) {
          if (scores.raw(i) >= floor) add(*tensors[head.boxes], i, head.first + i, scores[i], out);
        }
      });
    }
    return {};
  }

 private:
  // Centre of the anchor's cell, in parts of the input.
  Point anchor(std::size_t index) const {
    const std::size_t fine = 2 * grid_ * grid_;
    const std::size_t cells = index < fine ? grid_ : grid_ / 2;
    const std::size_t cell = index < fine ? index / 2 : (index - fine) / 6;
    const auto centre = [&](std::size_t at) {
      return (static_cast<float>(at) + 0.5F) / static_cast<float>(cells);
    };
    return {centre(cell % cells), centre(cell / cells)};
  }

  void add(const Tensor& boxes, std::size_t row, std::size_t index, float raw_score, Candidates& out) const {
    const Geometry& geometry = boxes.geometry;
    const std::size_t at = row * values_;
    const Point centre = anchor(index);
    const float x = centre.x * static_cast<float>(geometry.grid_width);
    const float y = centre.y * static_cast<float>(geometry.grid_height);
    std::array<float, kMaxValues> raw{};
    bool finite = std::isfinite(raw_score);
    for (std::size_t i = 0; i < values_; ++i) {
      raw[i] = element(boxes, at + i);
      finite = finite && std::isfinite(raw[i]);
    }
    if (!finite || raw[2] <= 0 || raw[3] <= 0) return;
    const float left = x + raw[0] - raw[2] / 2;
    const float top = y + raw[1] - raw[3] / 2;
    const float score = 1 / (1 + std::exp(-std::clamp(raw_score, -kScoreClip, kScoreClip)));
    out.boxes.push_back({left, top, left + raw[2], top + raw[3], score, 0, static_cast<std::uint32_t>(index),
                         static_cast<std::uint32_t>(out.points.size())});
    for (std::size_t i = 4; i + 1 < values_; i += 2) out.points.push_back({x + raw[i], y + raw[i + 1]});
  }

  std::vector<Head> heads_;
  std::size_t grid_;
  std::size_t values_;
};

struct Part {
  std::size_t tensor = 0;
  std::size_t count = 0;   // anchors
  std::size_t values = 0;  // per anchor: 1 for scores
};

std::optional<Part> part_of(const TensorType& type, std::size_t index) {
  const std::vector<std::int64_t> dims = frame_shape(type);
  if (!is_readable(type) || dims.empty() || dims.size() > 2) return std::nullopt;
  if (*std::min_element(dims.begin(), dims.end()) < 1) return std::nullopt;
  const std::int64_t values = dims.size() == 2 ? dims[1] : 1;
  if (values != 1 && (values < 4 || values % 2 != 0 || values > static_cast<std::int64_t>(kMaxValues))) {
    return std::nullopt;
  }
  return Part{index, static_cast<std::size_t>(dims[0]), static_cast<std::size_t>(values)};
}

// Pairs scores with boxes of the same count, the fine grid first; empty when they do not pair.
std::vector<Head> pair_up(const std::vector<Part>& parts) {
  std::vector<Head> heads;
  for (const Part& scores : parts) {
    if (scores.values != 1) continue;
    const auto boxes = std::find_if(parts.begin(), parts.end(),
                                    [&](const Part& p) { return p.values != 1 && p.count == scores.count; });
    if (boxes == parts.end()) return {};
    heads.push_back({scores.tensor, boxes->tensor, scores.count, 0});
  }
  std::sort(heads.begin(), heads.end(), [](const Head& a, const Head& b) { return a.count > b.count; });
  if (heads.size() == 2) heads[1].first = heads[0].count;
  return heads.size() * 2 == parts.size() ? heads : std::vector<Head>{};
}

// Cells per side of the fine grid, from the number of anchors; 0 when they do not fit.
std::size_t grid_of(const std::vector<Head>& heads) {
  if (heads.empty() || heads.size() > 2) return 0;
  std::size_t total = 0;
  for (const Head& head : heads) total += head.count;
  const auto grid = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(total) / 3.5)));
  const std::size_t fine = 2 * grid * grid;
  const std::size_t coarse = 6 * (grid / 2) * (grid / 2);
  if (grid % 2 != 0 || fine + coarse != total || (heads.size() == 2 && heads[0].count != fine)) return 0;
  return grid;
}

}  // namespace

Result<DecoderPtr> make_blazeface(std::span<const TensorType> types) {
  std::vector<Part> parts;
  std::size_t values = 0;
  bool fits = true;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const std::optional<Part> part = part_of(types[i], i);
    if (!part) {
      fits = false;
      break;
    }
    if (part->values != 1) {
      fits = fits && (values == 0 || values == part->values);
      values = part->values;
    }
    parts.push_back(*part);
  }
  std::vector<Head> heads = fits ? pair_up(parts) : std::vector<Head>{};
  const std::size_t grid = grid_of(heads);
  if (grid == 0) {
    return invalid(
        fmt::format("decoder 'blazeface' cannot read outputs of {}; it takes scores 1x512x1 and 1x384x1 with "
                    "boxes 1x512x16 and "
                    "1x384x16, in any order, or both joined: 1x896x1 and 1x896x16",
                    shapes_text(types)));
  }
  return DecoderPtr(std::make_unique<BlazeFace>(std::move(heads), grid, values));
}

}  // namespace sluice
