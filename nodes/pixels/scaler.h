// PictureScaler: one pass from a picture in any pixel format to the tensor a model wants.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "framework/core/image.h"
#include "framework/core/status.h"
#include "framework/core/tensor.h"
#include "nodes/pixels/fit.h"
#include "nodes/pixels/kernels.h"
#include "nodes/pixels/placement.h"
#include "nodes/pixels/store.h"
#include "nodes/pixels/taps.h"

namespace sluice::pixels {

enum class Color : std::uint8_t { kRgb, kBgr, kGray };

// What the tensor shall be. Element types: those of ElementWriter.
struct Target {
  int width = 0;
  int height = 0;
  Layout layout = Layout::kNchw;
  DType dtype = DType::kFloat32;
  Fit fit = Fit::kStretch;
  Color color = Color::kRgb;
  std::array<double, 3> mean{0, 0, 0};  // per channel of the tensor, in pixel units
  std::array<double, 3> std{1, 1, 1};
  double pad_value = 0;              // in pixel units, normalised like a pixel
  std::optional<QuantParams> quant;  // integers: per tensor, or one per channel; none: plain numbers
  int channels() const { return color == Color::kGray ? 1 : 3; }
};

// Definition (contract section 2): every plane is sampled bilinearly at the target pixel's mapped point,
// half-pixel centres, no antialiasing, clamped at the edge; YUV is converted by the stream's matrix and
// range, clamped to 0..255; (pixel - mean) / std; then quantised or rounded half to even and saturated.
//
// How: each needed source row is sampled along the row once (16-bit fixed point, 1/32 of a pixel value), then
// two such rows are blended, converted and stored. Only rows that a target row touches are read; all scratch
// stays in the L1 cache. For pictures to be turned by 90 or 270 degrees a target column is made like a row
// and transposed in tiles.
//
// Not thread-safe: holds tables and scratch for the last picture type, remade (allocating) when the type
// changes.
class PictureScaler {
 public:
  // `use`: one of usable_kernels(). Fails for sizes, std or quantisation that are not possible.
  static Result<PictureScaler> create(const Target& target, const Kernels& use = kernels());

  // Writes the tensor (dense, 1 x channels x height x width or 1 x height x width x channels) to `out`, which
  // does not overlap the picture. kFailed for a picture without planes or of an impossible size.
  Status run(const Image& image, std::byte* out);
  // Of the last picture.
  const Geometry& geometry() const { return geometry_; }
  // Of the last picture, without padding, when the tensor is of integers: its elements, and those whose value
  // lies more than half a step outside what the type holds.
  std::uint64_t elements() const;
  std::uint64_t clipped() const { return clipped_; }

 private:
  // A colour component of the source: where its samples lie, and the last two rows of it that were sampled,
  // by the row number's parity.
  struct Component {
    int plane = 0;
    int byte = 0;  // within a sample of the plane
    std::array<int, 2> cached{-1, -1};
    std::array<std::vector<std::int16_t>, 2> rows;
    void place(int in_plane, int at_byte) {
      plane = in_plane;
      byte = at_byte;
    }
    std::int16_t* row_for(int row) { return rows[static_cast<std::size_t>(row & 1)].data(); }
    // Whether `row` is not there yet; the caller makes it.
    bool claim(int row) { return std::exchange(cached[static_cast<std::size_t>(row & 1)], row) != row; }
  };
  struct PlaneTaps {
    RowTaps along;            // stored rows
    std::vector<Tap> across;  // by line of picture
    int row_bytes = 0;
  };
  enum class Conversion : std::uint8_t { kYuvToRgb, kLumaToGray, kRgbToRgb, kRgbToGray, kGray };
  using Lines = std::array<const std::int16_t*, 3>;

  PictureScaler(const Target& target, const Kernels& use, ElementWriter writer)
      : target_(target), kernels_(&use), writer_(std::move(writer)) {}
  Status prepare(const ImageType& type);
  PlaneTaps make_taps(int plane) const;
  void choose_components();
  void make_scratch();
  void sample_row(const Image& image, int index, int row);
  RowPair sampled_rows(const Image& image, int index, int content_line);
  void prefetch_rows(const Image& image, int content_line) const;
  void make_line(const Image& image, int content_line);
  void convert(const std::array<RowPair, 3>& sources);
  Lines line_of(const Image& image, int line);
  void count_clipped(const Lines& lines);
  void write_lines(const Image& image, std::byte* out);
  void write_turned(const Image& image, std::byte* out);

  Component& component(int i) { return components_[static_cast<std::size_t>(i)]; }
  const PlaneTaps& taps_of(const Component& component) const { return taps_[component.plane == 0 ? 0 : 1]; }
  std::int16_t* content(std::size_t channel) { return line_[channel].data() + along_.fit.offset; }

  Target target_;
  const Kernels* kernels_;
  ElementWriter writer_;

  bool prepared_ = false;
  ImageType type_;
  Geometry geometry_;
  std::uint64_t clipped_ = 0;
  bool turned_ = false;  // by 90 or 270 degrees: a line of work is a column of the target, else a row
  StoredAxis along_;     // within a line
  StoredAxis across_;    // from line to line
  int line_length_ = 0;
  int line_count_ = 0;
  Conversion conversion_ = Conversion::kGray;
  YuvCoefficients yuv_{};
  GrayWeights gray_{};
  int component_count_ = 0;
  int prefetched_planes_ = 0;
  bool prefetches_ = false;
  std::array<Component, 3> components_;
  std::array<PlaneTaps, 2> taps_;                  // of plane 0; of the chroma planes
  std::array<std::vector<std::int16_t>, 3> line_;  // one line per channel, with padding on both sides
  std::vector<std::int16_t> padding_;              // a line of it
  std::vector<std::uint8_t> short_row_;
  std::vector<std::byte> tile_;
};

}  // namespace sluice::pixels
