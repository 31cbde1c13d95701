#include "backends/cache/artifact_format.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "inference/sha256.h"

namespace sluice {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kMagic = "SLUICEA1";
constexpr std::size_t kHashed = kMagic.size() + 64;  // where the hashed part starts
constexpr std::size_t kHeader = kHashed + sizeof(std::uint32_t) + sizeof(std::uint64_t);

template <typename T>
void append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <typename T>
T read(std::string_view bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

// "'onnxruntime=1.20', not 'onnxruntime=1.22'": the first line that differs.
std::string first_difference(std::string_view stored, std::string_view wanted) {
  const auto take_line = [](std::string_view& text) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    return line;
  };
  std::string_view was, is;
  do {
    was = take_line(stored);
    is = take_line(wanted);
  } while (was == is && !(stored.empty() && wanted.empty()));
  return "'" + std::string(was) + "', not '" + std::string(is) + "'";
}

}  // namespace

std::string pack_artifact(std::string_view key_text, std::string_view payload) {
  std::string hashed;
  hashed.reserve(kHeader - kHashed + key_text.size() + payload.size());
  append(hashed, static_cast<std::uint32_t>(key_text.size()));
  append(hashed, std::uint64_t{payload.size()});
  hashed.append(key_text).append(payload);
  return std::string(kMagic) + sha256_hex(hashed) + hashed;
}

Result<std::string_view> unpack_artifact(std::string_view bytes, std::string_view key_text) {
  if (bytes.size() < kHeader)
    return invalid("is cut short: " + std::to_string(bytes.size()) + " bytes, its header alone has " +
                   std::to_string(kHeader));
  if (!bytes.starts_with(kMagic)) return invalid("is no cache entry of this version of Sluice");
  if (bytes.substr(kMagic.size(), kHashed - kMagic.size()) != sha256_hex(bytes.substr(kHashed)))
    return invalid("is damaged: its SHA-256 is not the one it was stored with");
  const std::size_t key_length = read<std::uint32_t>(bytes, kHashed);
  const std::uint64_t length = read<std::uint64_t>(bytes, kHashed + sizeof(std::uint32_t));
  const std::size_t room = bytes.size() - kHeader;
  if (key_length > room || length != room - key_length)
    return invalid("has lengths that contradict its size");
  if (const auto stored = bytes.substr(kHeader, key_length); stored != key_text)
    return invalid("was made for another model, device, version or set of options (" +
                   first_difference(stored, key_text) + ")");
  return bytes.substr(kHeader + key_length);
}

}  // namespace sluice
