// File names of image_sink.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "framework/core/status.h"

namespace sluice {

// A path with {frame} (six digits or more) and {source} in its last part; a folder stands for
// "<folder>/{source}_{frame}.jpg".
class PictureName {
 public:
  // kInvalid when it ends in no known extension or has another word in braces. A path that ends in '/' or is
  // an existing folder is a folder.
  static Result<PictureName> parse(std::string_view path);

  // The name for one frame, in `out` (which keeps its memory).
  void expand(std::string_view source, std::uint64_t frame, std::string& out) const;
  // The first file in the order of names that is there and has the name of some frame of the source; empty:
  // none.
  std::string existing(std::string_view source) const;
  const std::string& pattern() const { return pattern_; }
  bool has_frame() const;
  bool has_source() const;
  bool png() const;  // else JPEG

 private:
  bool names(std::string_view source, std::string_view path) const;

  std::string pattern_;
};

}  // namespace sluice
