#include "tests/nodes/video/media.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>

#include "framework/core/log.h"

namespace sluice::testing {
namespace {

struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "sluice_video_XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

std::mutex log_mutex;
std::string log_text;

void catch_log(LogLevel level, std::string_view message) {
  if (level == LogLevel::kDebug) return;
  std::lock_guard lock(log_mutex);
  log_text += message;
  log_text += '\n';
}

}  // namespace

const std::filesystem::path& scratch_folder() {
  static const Folder folder;
  return folder.path;
}

std::string scratch(const std::string& name) { return (scratch_folder() / name).string(); }

std::string make_media(const std::string& name, const std::string& arguments) {
  const std::string path = scratch(name);
  if (std::filesystem::exists(path)) return path;
  const std::string command = "ffmpeg -nostdin -v error -y " + arguments + " '" + path + "'";
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  return path;
}

std::string small_video() {
  return make_media("small.mp4",
                    "-f lavfi -i testsrc2=s=320x180:r=30:d=1 -c:v libx264 -threads 1 -bf 2 -pix_fmt yuv420p");
}

std::vector<std::uint8_t> ffmpeg_output(const std::string& arguments) {
  const std::string command = "ffmpeg -nostdin -v error " + arguments + " -";
  std::vector<std::uint8_t> out;
  FILE* pipe = ::popen(command.c_str(), "r");
  EXPECT_NE(pipe, nullptr);
  if (pipe == nullptr) return out;
  std::vector<std::uint8_t> chunk(1 << 20);
  for (std::size_t n = 0; (n = std::fread(chunk.data(), 1, chunk.size(), pipe)) > 0;) {
    out.insert(out.end(), chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(n));
  }
  EXPECT_EQ(::pclose(pipe), 0) << command;
  return out;
}

std::string cached(const std::string& name) {
  const char* cache = std::getenv("SLUICE_CACHE");
  const char* home = std::getenv("HOME");
  const std::filesystem::path root =
      cache != nullptr ? std::filesystem::path(cache)
                       : std::filesystem::path(home != nullptr ? home : "") / ".cache/sluice";
  const std::filesystem::path path = root / name;
  return std::filesystem::exists(path) ? path.string() : std::string();
}

std::vector<std::uint8_t> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::vector<std::uint8_t>& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  EXPECT_TRUE(file) << path;
}

void append_packed(const Image& image, std::vector<std::uint8_t>& out) {
  for (int p = 0; p < plane_count(image.type.format); ++p) {
    const PlaneSize size = plane_size(image.type, p);
    const auto plane = static_cast<std::size_t>(p);
    for (int y = 0; y < size.height; ++y) {
      const std::uint8_t* row = image.planes[plane] + y * image.strides[plane];
      out.insert(out.end(), row, row + size.width * size.bytes_per_sample);
    }
  }
}

std::vector<std::uint8_t> packed(const Image& image) {
  std::vector<std::uint8_t> out;
  append_packed(image, out);
  return out;
}

double psnr(const std::vector<std::uint8_t>& a, const std::vector<std::uint8_t>& b) {
  if (a.size() != b.size() || a.empty()) return 0;
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  if (sum == 0) return 99;
  return 10 * std::log10(255.0 * 255.0 * static_cast<double>(a.size()) / sum);
}

LogCatcher::LogCatcher() {
  log_text.clear();
  set_log_sink(catch_log);
}
LogCatcher::~LogCatcher() { set_log_sink(nullptr); }
std::string LogCatcher::text() const {
  std::lock_guard lock(log_mutex);
  return log_text;
}

}  // namespace sluice::testing
