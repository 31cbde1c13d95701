#include "nodes/video_uri.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "framework/core/redact.h"

namespace sluice {
namespace {

constexpr std::array<std::string_view, 3> kPatterns = {"bars", "noise", "clock"};
constexpr std::array<std::string_view, 4> kNetworkSchemes = {"rtsp", "rtsps", "http", "https"};

// Endings of files and playlists that servers offer; cameras' are none of these (.cgi, .mjpg, .php).
constexpr std::array<std::string_view, 25> kFileEndings = {
    "3gp",  "avi", "flv", "gif", "h264", "hevc", "m2ts", "m3u8", "m4v", "mkv",  "mov", "mp4", "mpd",
    "mpeg", "mpg", "mts", "mxf", "obu",  "ogg",  "ogv",  "ts",   "vob", "webm", "wmv", "y4m"};

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& list, std::string_view what) {
  return std::find(list.begin(), list.end(), what) != list.end();
}

// "rtsp" of "rtsp://host"; empty when the text is a path.
std::string scheme_of(std::string_view uri) {
  std::size_t n = 0;
  const auto is_scheme_char = [](unsigned char c) {
    return std::isalnum(c) || c == '+' || c == '.' || c == '-';
  };
  while (n < uri.size() && is_scheme_char(static_cast<unsigned char>(uri[n]))) ++n;
  if (n < 2 || n == uri.size() || uri[n] != ':') return {};
  std::string scheme(uri.substr(0, n));
  std::transform(scheme.begin(), scheme.end(), scheme.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return scheme;
}

// Whether an address without its scheme ends in the name of a video file: "//host/day.MP4?key=1".
bool names_a_file(std::string_view rest) {
  rest = rest.substr(2);
  const std::size_t end = std::min(rest.find_first_of("?#"), rest.size());
  const std::size_t path = rest.find('/');
  if (path >= end) return false;
  const std::string_view name = rest.substr(path, end - path);
  const std::size_t dot = name.find_last_of("./");
  if (name[dot] == '/') return false;
  std::string ending(name.substr(dot + 1));
  std::ranges::transform(ending, ending.begin(), [](unsigned char c) { return std::tolower(c); });
  return contains(kFileEndings, ending);
}

}  // namespace

Result<VideoUri> parse_video_uri(std::string_view uri) {
  if (uri.empty()) return invalid("option 'uri' is empty: give a file, rtsp://, http:// or test:bars");
  const std::string scheme = scheme_of(uri);
  if (scheme.empty()) return VideoUri{VideoBackend::kFile, std::string(uri)};
  const std::string_view rest = uri.substr(scheme.size() + 1);
  if (scheme == "file") {
    return VideoUri{VideoBackend::kFile, std::string(rest.substr(0, 2) == "//" ? rest.substr(2) : rest)};
  }
  if (scheme == "test") {
    if (contains(kPatterns, rest)) return VideoUri{VideoBackend::kTest, std::string(rest)};
    return invalid(fmt::format("option 'uri' is '{}', allowed: test:bars, test:noise, test:clock", uri));
  }
  if (contains(kNetworkSchemes, scheme) && rest.substr(0, 2) == "//") {
    return VideoUri{VideoBackend::kNetwork,
                    scheme + ":" + std::string(rest),  // FFmpeg knows small letters only
                    scheme.starts_with("rtsp") || !names_a_file(rest)};
  }
  if (scheme == "v4l2" || scheme == "gst") {
    return unavailable(
        fmt::format("option 'uri' is '{}': this version has no {}: sources; use a file, rtsp://, http:// "
                    "or test:",
                    uri, scheme));
  }
  return invalid(
      fmt::format("option 'uri' is '{}': unknown scheme '{}:', allowed: a file, rtsp://, rtsps://, http://, "
                  "https://, test:; for a file of that name write 'file:{}'",
                  redact_url(uri), scheme, redact_url(uri)));
}

}  // namespace sluice
