// Videos and pictures for the tests of this folder, made by the ffmpeg program when they are first asked for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "framework/core/image.h"

namespace sluice::testing {

// A folder of this test program, removed when it ends.
const std::filesystem::path& scratch_folder();
// Its path for a file of that name.
std::string scratch(const std::string& name);
// Runs `ffmpeg -v error -y <arguments> <scratch(name)>` once per name; the file's path. Fails the test when
// ffmpeg does.
std::string make_media(const std::string& name, const std::string& arguments);
// 30 pictures of 320x180 at 30 fps, H.264 with B-frames.
std::string small_video();
// What `ffmpeg <arguments>` writes to stdout.
std::vector<std::uint8_t> ffmpeg_output(const std::string& arguments);
// A file of the cache that `tools/dev setup` fills; empty when it is not there.
std::string cached(const std::string& name);

std::vector<std::uint8_t> read_file(const std::string& path);
void write_file(const std::string& path, const std::vector<std::uint8_t>& bytes);

// All planes row by row without padding: ffmpeg's rawvideo.
void append_packed(const Image& image, std::vector<std::uint8_t>& out);
std::vector<std::uint8_t> packed(const Image& image);
// Peak signal-to-noise ratio of equally long byte strings, dB; 99 when equal.
double psnr(const std::vector<std::uint8_t>& a, const std::vector<std::uint8_t>& b);

// What was logged since the last call, one line each.
class LogCatcher {
 public:
  LogCatcher();
  ~LogCatcher();
  std::string text() const;
};

}  // namespace sluice::testing
