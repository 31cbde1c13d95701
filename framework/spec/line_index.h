// From byte offsets to the places messages name.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "framework/spec/spec.h"

namespace sluice {

// Lines end with '\n'. The text must outlive the index.
class LineIndex {
 public:
  explicit LineIndex(std::string_view text);

  // 1-based line and column; columns count characters (UTF-8 code points), as editors do.
  Mark mark_at(std::size_t offset) const;
  // Offset of a place counted in bytes from 0, as yaml-cpp does; clamped to the text.
  std::size_t offset_of(int line, int column) const;

 private:
  std::string_view text_;
  std::vector<std::size_t> starts_;
};

}  // namespace sluice
