#include "nodes/video/declared_size.h"

#include <algorithm>
#include <array>
#include <bit>
#include <filesystem>
#include <fstream>
#include <optional>

#include <fmt/format.h>

namespace sluice {
namespace {

constexpr std::size_t kHeadBytes = 256;  // an EBML header has about 40

bool begins_with(std::span<const std::uint8_t> bytes, std::initializer_list<std::uint8_t> expected) {
  return bytes.size() >= expected.size() && std::equal(expected.begin(), expected.end(), bytes.begin());
}

// EBML's size of an element, and where its content starts. Leading zeros of the first byte tell how many
// follow; all ones stand for "unknown".
struct EbmlSize {
  std::optional<std::uint64_t> value;
  std::size_t end = 0;
};

std::optional<EbmlSize> ebml_size(std::span<const std::uint8_t> bytes, std::size_t at) {
  if (at >= bytes.size() || bytes[at] == 0) return std::nullopt;
  const auto length = static_cast<std::size_t>(std::countl_zero(bytes[at])) + 1;
  if (at + length > bytes.size()) return std::nullopt;
  std::uint64_t value = bytes[at] & (0xFFU >> length);
  for (std::size_t i = 1; i < length; ++i) value = value << 8 | bytes[at + i];
  const std::uint64_t unknown = (std::uint64_t{1} << 7 * length) - 1;
  return EbmlSize{value == unknown ? std::nullopt : std::optional(value), at + length};
}

std::int64_t matroska_size(std::span<const std::uint8_t> head) {
  const std::optional<EbmlSize> header = ebml_size(head, 4);
  if (!header || !header->value || *header->value > head.size()) return -1;
  const std::size_t segment = header->end + static_cast<std::size_t>(*header->value);
  if (segment > head.size() || !begins_with(head.subspan(segment), {0x18, 0x53, 0x80, 0x67})) return -1;
  const std::optional<EbmlSize> size = ebml_size(head, segment + 4);
  return size && size->value ? static_cast<std::int64_t>(size->end + *size->value) : -1;
}

std::int64_t riff_size(std::span<const std::uint8_t> head) {
  if (head.size() < 8) return -1;
  std::int64_t size = 0;
  for (std::size_t i = 8; i-- > 4;) size = size << 8 | head[i];
  return size > 0 ? size + 8 : -1;
}

}  // namespace

std::int64_t declared_size(std::span<const std::uint8_t> head) {
  if (begins_with(head, {0x1A, 0x45, 0xDF, 0xA3})) return matroska_size(head);
  if (begins_with(head, {'R', 'I', 'F', 'F'})) return riff_size(head);
  return -1;
}

std::string missing_bytes(const std::string& path) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) return {};
  std::array<std::uint8_t, kHeadBytes> head{};
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(head.data()), head.size());
  const auto got = static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0));
  const std::int64_t declared = declared_size(std::span(head).first(got));
  if (declared <= static_cast<std::int64_t>(size)) return {};
  return fmt::format("{} of {} bytes", size, declared);
}

}  // namespace sluice
