// A bitmap font: printable ASCII, 5 dots wide, 7 dots high.
#pragma once

#include <array>
#include <cstdint>

namespace sluice {

inline constexpr int kGlyphWidth = 5;
inline constexpr int kGlyphHeight = 7;
inline constexpr int kGlyphAdvance = kGlyphWidth + 1;  // from one character to the next

// Columns from left to right, bit 0 is the top dot. '?' for characters that the font does not have.
const std::array<std::uint8_t, kGlyphWidth>& glyph(char c);

}  // namespace sluice
