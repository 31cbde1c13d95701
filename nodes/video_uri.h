// What a video_source's `uri` stands for, told from its text alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "framework/core/status.h"

namespace sluice {

enum class VideoBackend : std::uint8_t {
  kFile,     // a path; "file:" and "file://" in front are allowed
  kNetwork,  // rtsp://, rtsps://, http://, https://
  kTest,     // test:bars, test:noise, test:clock
};

struct VideoUri {
  VideoBackend backend = VideoBackend::kFile;
  std::string target;  // the path, the whole address, or the pattern's name
  // A camera, which sends when it captures, and not a file: rtsp, and http where the address does not end in
  // the name of a video file or playlist. Only the answer would tell (multipart), but plans ask nobody.
  bool live = false;
};

// kInvalid for an empty text, an unknown scheme or pattern; kUnavailable for schemes this build does not
// serve (v4l2:, gst:). A scheme has two letters or more, so "C:x" is a path, and so is everything after
// "file:".
Result<VideoUri> parse_video_uri(std::string_view uri);

}  // namespace sluice
