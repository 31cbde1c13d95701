#include "framework/spec/line_index.h"

#include <algorithm>

namespace sluice {

LineIndex::LineIndex(std::string_view text) : text_(text), starts_{0} {
  for (std::size_t i = text.find('\n'); i != std::string_view::npos; i = text.find('\n', i + 1)) {
    starts_.push_back(i + 1);
  }
}

Mark LineIndex::mark_at(std::size_t offset) const {
  offset = std::min(offset, text_.size());
  const auto next = std::upper_bound(starts_.begin(), starts_.end(), offset);
  const std::size_t start = *(next - 1);
  const std::string_view before = text_.substr(start, offset - start);
  const auto characters = std::count_if(
      before.begin(), before.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  return {static_cast<int>(next - starts_.begin()), static_cast<int>(characters) + 1};
}

std::size_t LineIndex::offset_of(int line, int column) const {
  const auto index =
      std::clamp<std::size_t>(static_cast<std::size_t>(std::max(line, 0)), 0, starts_.size() - 1);
  return std::min(text_.size(), starts_[index] + static_cast<std::size_t>(std::max(column, 0)));
}

}  // namespace sluice
