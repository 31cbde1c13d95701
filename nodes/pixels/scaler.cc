#include "nodes/pixels/scaler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "nodes/pixels/color.h"
#include "nodes/pixels/transpose.h"

namespace sluice::pixels {
namespace {

constexpr int kTileLines = 16;
constexpr int kCacheLine = 64;
constexpr double kPrefetchRatio = 4;  // source rows per line; measured: gains above, costs below

bool is_packed_rgb(PixelFormat format) { return format == PixelFormat::kRgb || format == PixelFormat::kBgr; }

std::int16_t row_share(double weight) {
  return static_cast<std::int16_t>(std::min<long>(std::lround(weight * kRowUnit), kRowUnit - 1));
}

std::int16_t pad_sample(double pad_value) {
  return static_cast<std::int16_t>(std::lround(pad_value * kFraction));
}

}  // namespace

Result<PictureScaler> PictureScaler::create(const Target& target, const Kernels& use) {
  if (target.width < 1 || target.height < 1 || target.width > kMaxSide || target.height > kMaxSide) {
    return invalid(
        fmt::format("target size is {}x{}, allowed: 1..{}", target.width, target.height, kMaxSide));
  }
  if (!(target.pad_value >= 0 && target.pad_value <= 255)) {
    return invalid(fmt::format("pad_value is {}, allowed: 0..255", target.pad_value));
  }
  std::array<Normalisation, 3> normalisations;
  for (std::size_t c = 0; c < 3; ++c) normalisations[c] = {target.mean[c], target.std[c]};
  const std::span<const Normalisation> used(normalisations.data(),
                                            static_cast<std::size_t>(target.channels()));
  SLUICE_ASSIGN(ElementWriter writer,
                ElementWriter::create(target.dtype, target.layout, used, target.quant, use));
  return PictureScaler(target, use, std::move(writer));
}

Status PictureScaler::run(const Image& image, std::byte* out) {
  if (image.type != type_ || !prepared_) SLUICE_RETURN_IF_ERROR(prepare(image.type));
  for (Component& component : components_) component.cached = {-1, -1};
  clipped_ = 0;
  if (turned_) {
    write_turned(image, out);
  } else {
    write_lines(image, out);
  }
  return {};
}

Status PictureScaler::prepare(const ImageType& type) {
  prepared_ = false;
  SLUICE_ASSIGN(const Placement place, place_picture(target_.fit, type, target_.width, target_.height));
  type_ = type;
  turned_ = place.turned;
  geometry_ = place.geometry;
  along_ = place.along;
  across_ = place.across;
  prefetches_ = across_.fit.length > kPrefetchRatio * across_.fit.scaled;
  line_length_ = turned_ ? target_.height : target_.width;
  line_count_ = turned_ ? target_.width : target_.height;
  choose_components();
  taps_[0] = make_taps(0);
  if (is_yuv(type.format)) taps_[1] = make_taps(1);
  make_scratch();
  prepared_ = true;
  return {};
}

PictureScaler::PlaneTaps PictureScaler::make_taps(int plane) const {
  const PlaneSize size = plane_size(type_, plane);
  PlaneTaps taps;
  const std::vector<Tap> along = axis_taps(along_.fit, type_.width, size.width, along_.mirrored);
  taps.along = RowTaps(along, size.width, size.bytes_per_sample);
  taps.across = axis_taps(across_.fit, type_.height, size.height, across_.mirrored);
  taps.row_bytes = size.width * size.bytes_per_sample;
  return taps;
}

// Which samples of which plane are needed, and how they become the channels of the tensor.
void PictureScaler::choose_components() {
  const PixelFormat format = type_.format;
  const bool gray = target_.color == Color::kGray;
  const ColorSpace space = type_.color.resolved(type_.height);
  yuv_ = yuv_coefficients(space);
  gray_ = gray_weights(space.matrix);
  component_count_ = 3;
  prefetched_planes_ = gray ? 1 : plane_count(format);
  if (is_packed_rgb(format)) {
    conversion_ = gray ? Conversion::kRgbToGray : Conversion::kRgbToRgb;
    const bool swap = format == PixelFormat::kBgr;  // components are R, G, B
    for (int c = 0; c < 3; ++c) component(c).place(0, swap ? 2 - c : c);
  } else if (is_yuv(format)) {
    conversion_ = gray ? Conversion::kLumaToGray : Conversion::kYuvToRgb;
    if (gray) component_count_ = 1;
    component(0).place(0, 0);
    component(1).place(1, 0);
    format == PixelFormat::kNv12 ? component(2).place(1, 1) : component(2).place(2, 0);
  } else {
    conversion_ = Conversion::kGray;
    component_count_ = 1;
    component(0).place(0, 0);
  }
}

void PictureScaler::make_scratch() {
  for (int c = 0; c < component_count_; ++c) {
    const auto outputs = static_cast<std::size_t>(taps_of(component(c)).along.padded_outputs());
    for (auto& row : component(c).rows) row.assign(outputs, 0);
  }
  const std::int16_t pad = pad_sample(target_.pad_value);
  for (auto& line : line_) line.assign(static_cast<std::size_t>(line_length_ + kBlock), pad);
  padding_.assign(static_cast<std::size_t>(line_length_), pad);
  short_row_.assign(RowTaps::kLeastRowBytes, 0);
  writer_.reserve(line_length_);
  if (turned_) {
    const auto line_bytes =
        static_cast<std::size_t>(line_length_ * target_.channels() * writer_.element_bytes());
    tile_.assign(kTileLines * line_bytes, std::byte{0});
  }
}

// Samples a stored row of one component; of both, where they are interleaved pairs.
void PictureScaler::sample_row(const Image& image, int index, int row) {
  const auto plane = static_cast<std::size_t>(component(index).plane);
  const std::uint8_t* source = image.planes[plane] + row * image.strides[plane];
  const PlaneTaps& taps = taps_of(component(index));
  if (taps.row_bytes < RowTaps::kLeastRowBytes) {
    std::memcpy(short_row_.data(), source, static_cast<std::size_t>(taps.row_bytes));
    source = short_row_.data();
  }
  if (index == 1 && type_.format == PixelFormat::kNv12) {
    component(2).claim(row);
    kernels_->resample_pairs(taps.along.view(), source, component(1).row_for(row), component(2).row_for(row));
  } else {
    kernels_->resample(taps.along.view(), source + component(index).byte, component(index).row_for(row));
  }
}

RowPair PictureScaler::sampled_rows(const Image& image, int index, int content_line) {
  Component& from = component(index);
  const Tap& tap = taps_of(from).across[static_cast<std::size_t>(content_line)];
  const std::int16_t share = row_share(tap.weight);
  const int second = share == 0 ? tap.first : tap.first + 1;
  if (from.claim(tap.first)) sample_row(image, index, tap.first);
  if (from.claim(second)) sample_row(image, index, second);
  return {from.row_for(tap.first), from.row_for(second), share};
}

// Asks for the source rows of a line ahead of time, where they are too far apart for the machine to foresee
// them.
void PictureScaler::prefetch_rows(const Image& image, int content_line) const {
  if (!prefetches_ || content_line >= across_.fit.scaled) return;
  for (int p = 0; p < prefetched_planes_; ++p) {
    const auto plane = static_cast<std::size_t>(p);
    const PlaneTaps& taps = taps_[p == 0 ? 0 : 1];
    const std::uint8_t* row =
        image.planes[plane] +
        taps.across[static_cast<std::size_t>(content_line)].first * image.strides[plane];
    for (int i = 0; i < taps.row_bytes; i += kCacheLine) {
      __builtin_prefetch(row + i);
      __builtin_prefetch(row + image.strides[plane] + i);  // a hint only: may lie behind the last row
    }
  }
}

void PictureScaler::make_line(const Image& image, int content_line) {
  prefetch_rows(image, content_line + 1);
  std::array<RowPair, 3> sources;
  for (int c = 0; c < component_count_; ++c) {
    sources[static_cast<std::size_t>(c)] = sampled_rows(image, c, content_line);
  }
  convert(sources);
  // The kernels write whole blocks: put back the padding behind the picture.
  const int end = along_.fit.offset + along_.fit.scaled;
  const auto spilled = static_cast<std::size_t>(std::min(kBlock, line_length_ - end));
  for (auto& line : line_) std::copy_n(padding_.begin(), spilled, line.begin() + end);
}

void PictureScaler::convert(const std::array<RowPair, 3>& sources) {
  const int n = taps_[0].along.padded_outputs();
  const std::size_t red = target_.color == Color::kBgr ? 2 : 0;
  std::int16_t* const rgb[3] = {content(red), content(1), content(2 - red)};
  switch (conversion_) {
    case Conversion::kYuvToRgb:
      return kernels_->yuv_to_rgb(sources.data(), yuv_, n, rgb);
    case Conversion::kLumaToGray:
      return kernels_->expand_luma(sources[0], yuv_, n, content(0));
    case Conversion::kRgbToGray:
      return kernels_->rgb_to_gray(sources.data(), gray_, n, content(0));
    case Conversion::kRgbToRgb:
      for (std::size_t c = 0; c < 3; ++c) kernels_->blend(sources[c], n, rgb[c]);
      return;
    case Conversion::kGray:
      return kernels_->blend(sources[0], n, content(0));
  }
}

// The lines that hold target line `line`, one per channel.
PictureScaler::Lines PictureScaler::line_of(const Image& image, int line) {
  const int content_line = line - across_.fit.offset;
  if (content_line < 0 || content_line >= across_.fit.scaled)
    return {padding_.data(), padding_.data(), padding_.data()};
  make_line(image, content_line);
  const bool gray = conversion_ == Conversion::kGray;
  const Lines lines{line_[0].data(), line_[gray ? 0 : 1].data(), line_[gray ? 0 : 2].data()};
  if (writer_.may_clip()) count_clipped(lines);
  return lines;
}

void PictureScaler::count_clipped(const Lines& lines) {
  const int at = along_.fit.offset;
  const Lines content{lines[0] + at, lines[1] + at, lines[2] + at};
  clipped_ += static_cast<std::uint64_t>(writer_.count_clipped(content.data(), along_.fit.scaled));
}

std::uint64_t PictureScaler::elements() const {
  if (!prepared_ || !writer_.integer()) return 0;
  return static_cast<std::uint64_t>(along_.fit.scaled) * static_cast<std::uint64_t>(across_.fit.scaled) *
         static_cast<std::uint64_t>(target_.channels());
}

void PictureScaler::write_lines(const Image& image, std::byte* out) {
  const std::ptrdiff_t element = writer_.element_bytes();
  const std::ptrdiff_t line_bytes = line_length_ * element * (writer_.interleaved() ? 3 : 1);
  const std::ptrdiff_t channel_bytes = element * target_.width * target_.height;
  for (int line = 0; line < line_count_; ++line) {
    writer_.write(line_of(image, line).data(), line_length_, out + line * line_bytes, channel_bytes);
  }
}

void PictureScaler::write_turned(const Image& image, std::byte* out) {
  const std::ptrdiff_t element = writer_.element_bytes();
  const int planes = writer_.interleaved() ? 1 : writer_.channels();
  const int cell = static_cast<int>(element) * (writer_.interleaved() ? 3 : 1);
  const std::ptrdiff_t tile_channel = line_length_ * element;
  const std::ptrdiff_t tile_line = tile_channel * writer_.channels();
  const std::ptrdiff_t out_channel = element * target_.width * target_.height;
  for (int first = 0; first < line_count_; first += kTileLines) {
    const int count = std::min(kTileLines, line_count_ - first);
    for (int i = 0; i < count; ++i) {
      writer_.write(line_of(image, first + i).data(), line_length_, tile_.data() + i * tile_line,
                    tile_channel);
    }
    for (int p = 0; p < planes; ++p) {
      const LineTile tile{tile_.data() + p * tile_channel, tile_line, count, line_length_};
      transpose(tile, cell, out + p * out_channel + std::ptrdiff_t{first} * cell,
                std::ptrdiff_t{target_.width} * cell);
    }
  }
}

}  // namespace sluice::pixels
