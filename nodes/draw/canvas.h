// Draws rectangles and text straight into the planes of a picture, whatever its format: nothing is converted.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "framework/core/image.h"
#include "framework/core/results.h"

namespace sluice {

struct Color {
  std::uint8_t red = 0, green = 0, blue = 0;
};

// All coordinates are pixels of the upright picture; what lies outside of it is clipped. Holds no pixels:
// `image` must outlive it. No allocation; one thread.
class Canvas {
 public:
  explicit Canvas(Image& image);

  int width() const { return image_.type.upright_width(); }
  int height() const { return image_.type.upright_height(); }

  // The pixels [x0, x1) x [y0, y1). Halved chroma covers every pixel that it touches.
  void fill(int x0, int y0, int x1, int y1, Color color);
  // The four sides of [x0, x1) x [y0, y1), `thickness` pixels wide, centred on its edges.
  void frame(int x0, int y0, int x1, int y1, int thickness, Color color);
  // A straight line between two points, `thickness` pixels wide.
  void line(Point from, Point to, int thickness, Color color);
  // One line of ASCII, its top left corner at (x, y), each dot `dot` pixels wide. UTF-8 characters become
  // '?'.
  void text(int x, int y, std::string_view words, int dot, Color color);
  // The samples of a colour in this picture: one per plane; for packed pixels one per byte.
  std::array<std::uint8_t, 3> samples_of(Color color) const;

 private:
  struct Rect {
    int x0, y0, x1, y1;
  };
  Rect stored(Rect upright) const;
  void fill_plane(int plane, Rect rect, const std::array<std::uint8_t, 3>& samples);

  Image& image_;
};

// Pixels that `text` takes across, without the gap behind the last character.
int text_width(std::string_view words, int dot);

}  // namespace sluice
