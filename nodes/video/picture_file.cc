#include "nodes/video/picture_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "nodes/picture_pattern.h"

namespace sluice {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMostBytes = 256u << 20;
constexpr std::array<std::string_view, 10> kExtensions = {".jpg", ".jpeg", ".png", ".bmp", ".webp",
                                                          ".tif", ".tiff", ".ppm", ".pgm", ".pnm"};

bool has_picture_extension(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

template <typename Iterator>
Status add_folder(const std::string& path, std::vector<std::string>& out) {
  std::error_code error;
  Iterator it(path, fs::directory_options::skip_permission_denied, error);
  for (; !error && it != Iterator(); it.increment(error)) {
    std::error_code ignored;  // a file that vanished meanwhile is none
    if (it->is_regular_file(ignored) && has_picture_extension(it->path())) out.push_back(it->path().string());
  }
  return error ? failed(fmt::format("folder '{}' cannot be read: {}", path, error.message())) : Status{};
}

bool starts_with(std::span<const std::uint8_t> bytes, std::string_view magic, std::size_t at = 0) {
  return bytes.size() >= at + magic.size() && std::memcmp(bytes.data() + at, magic.data(), magic.size()) == 0;
}

int big16(const std::uint8_t* p) { return p[0] << 8 | p[1]; }
std::int32_t big32(const std::uint8_t* p) {
  return static_cast<std::int32_t>(std::uint32_t{p[0]} << 24 | p[1] << 16 | p[2] << 8 | p[3]);
}
std::int32_t little32(const std::uint8_t* p) {
  return static_cast<std::int32_t>(std::uint32_t{p[3]} << 24 | p[2] << 16 | p[1] << 8 | p[0]);
}

constexpr std::uint8_t kStartOfScan = 0xDA;
constexpr std::array<std::uint8_t, 2> kEndOfImage = {0xFF, 0xD9};

bool is_frame_header(std::uint8_t marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

// Where the first JPEG segment stands whose marker is wanted, reading no further than the first scan (ITU-T
// T.81, B.1.1); bytes.size() when there is none.
template <typename Wanted>
std::size_t find_segment(std::span<const std::uint8_t> bytes, Wanted wanted) {
  std::size_t at = 2;
  while (at + 9 <= bytes.size() && bytes[at] == 0xFF) {
    const std::uint8_t marker = bytes[at + 1];
    if (wanted(marker)) return at;
    if (marker == kStartOfScan) break;
    at += marker == 0xFF ? 1 : 2 + static_cast<std::size_t>(big16(&bytes[at + 2]));  // FF FF: a fill byte
  }
  return bytes.size();
}

std::optional<PictureSize> jpeg_size(std::span<const std::uint8_t> bytes) {
  const std::size_t at = find_segment(bytes, is_frame_header);
  if (at == bytes.size()) return std::nullopt;
  return PictureSize{big16(&bytes[at + 7]), big16(&bytes[at + 5])};
}

}  // namespace

Result<std::vector<std::string>> list_pictures(const std::string& path, bool recursive) {
  std::vector<std::string> out;
  std::error_code error;
  if (fs::is_directory(path, error)) {
    SLUICE_RETURN_IF_ERROR(recursive ? add_folder<fs::recursive_directory_iterator>(path, out)
                                     : add_folder<fs::directory_iterator>(path, out));
    if (out.empty()) {
      return failed(fmt::format("folder '{}' holds no picture (.jpg, .png, .bmp, .webp, .tif, .ppm, .pgm){}",
                                path, recursive ? "" : "; recursive: true looks into its subfolders too"));
    }
  } else if (fs::exists(path, error)) {
    out.push_back(path);
  } else {
    if (path.find_first_of(kPatternCharacters) == std::string::npos)
      return failed(fmt::format("'{}': no such file or folder", path));
    out = files_matching(path);
    if (out.empty()) return failed(fmt::format("no file matches '{}'", path));
  }
  std::sort(out.begin(), out.end());
  return out;
}

Status read_picture(const std::string& path, std::vector<std::uint8_t>& bytes, std::size_t most) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  if (error) return failed(fmt::format("'{}' cannot be read: {}", path, error.message()));
  if (size > kMostBytes)
    return failed(
        fmt::format("'{}' has {} bytes, more than the {} a picture may have", path, size, kMostBytes));
  const std::size_t wanted = std::min<std::size_t>(size, most);
  bytes.assign(wanted + AV_INPUT_BUFFER_PADDING_SIZE, 0);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(wanted));
  if (!file) return failed(fmt::format("'{}' cannot be read: {}", path, std::strerror(errno)));
  return {};
}

AVCodecID picture_codec(std::span<const std::uint8_t> bytes) {
  using namespace std::string_view_literals;
  if (starts_with(bytes, "\xFF\xD8\xFF"sv)) return AV_CODEC_ID_MJPEG;
  if (starts_with(bytes, "\x89PNG\r\n\x1A\n"sv)) return AV_CODEC_ID_PNG;
  if (starts_with(bytes, "BM"sv)) return AV_CODEC_ID_BMP;
  if (starts_with(bytes, "RIFF"sv) && starts_with(bytes, "WEBP"sv, 8)) return AV_CODEC_ID_WEBP;
  if (starts_with(bytes, "II*\0"sv) || starts_with(bytes, "MM\0*"sv)) return AV_CODEC_ID_TIFF;
  if (starts_with(bytes, "P6"sv) || starts_with(bytes, "P3"sv)) return AV_CODEC_ID_PPM;
  if (starts_with(bytes, "P5"sv) || starts_with(bytes, "P2"sv)) return AV_CODEC_ID_PGM;
  return AV_CODEC_ID_NONE;
}

bool has_end(std::span<const std::uint8_t> bytes) {
  if (picture_codec(bytes) != AV_CODEC_ID_MJPEG) return true;
  const std::size_t scan = find_segment(bytes, [](std::uint8_t marker) { return marker == kStartOfScan; });
  // Inside a scan FF is always followed by 00 or a marker, so this is no picture data.
  return std::search(bytes.begin() + static_cast<std::ptrdiff_t>(scan), bytes.end(), kEndOfImage.begin(),
                     kEndOfImage.end()) != bytes.end();
}

std::optional<PictureSize> picture_size(std::span<const std::uint8_t> bytes) {
  constexpr std::size_t kHeader = 26;
  if (bytes.size() < kHeader) return std::nullopt;
  switch (picture_codec(bytes)) {
    case AV_CODEC_ID_MJPEG:
      return jpeg_size(bytes);
    case AV_CODEC_ID_PNG:
      return PictureSize{big32(&bytes[16]), big32(&bytes[20])};
    case AV_CODEC_ID_BMP:
      return PictureSize{little32(&bytes[18]), std::abs(little32(&bytes[22]))};
    default:
      return std::nullopt;
  }
}

}  // namespace sluice
