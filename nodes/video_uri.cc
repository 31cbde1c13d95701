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
                    scheme + ":" + std::string(rest)};  // FFmpeg knows small letters only
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
