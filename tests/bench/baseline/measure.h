// What the hand-written programs measure and how they print it: one JSON line each, same meaning as the
// report of `sluice run` (a steady part after 30 frames; latency from "frame complete" to "faces known").
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace baseline {

// Frames before the steady part: decoder pools, engine arenas and caches are warm after them.
inline constexpr int64_t kWarmFrames = 30;

struct Options {
  int size = 128;  // input size of the model, 128 (front) or 256 (back)
  std::string model;
  std::string video;
  int loops = 1;
  double fps = 0.0;      // 0 = as fast as possible
  bool stretch = false;  // default: letterbox, as in the shipped pipelines
  bool json = false;
};

// Parses the command line; prints usage and exits 2 when it is wrong.
Options parse_options(int argc, char** argv);

// Nanoseconds of the steady clock.
int64_t now_ns();

// Sleeps until `at_ns` of the steady clock.
void sleep_until_ns(int64_t at_ns);

// Calls of malloc, calloc, realloc and the aligned forms since the program started, in every thread and
// library; operator new ends in malloc and is counted there.
uint64_t allocation_count();

// The stamps of one frame. Written by whoever reaches the point, read by `Stats` only after the frame is
// finished.
struct Stamps {
  int64_t start_ns = 0;    // when it was due (paced) or when its packet was handed to the decoder
  int64_t decoded_ns = 0;  // when the picture was complete
};

struct Face {
  float x0, y0, x1, y1;  // in parts of the model's input
  float score;
};

// Collects results; the caller serialises calls of `finished`. Allocates only in the constructor.
class Stats {
 public:
  explicit Stats(const Options& options);

  // One frame's faces are known now.
  void finished(const Stamps& stamps, const std::vector<Face>& faces);

  // Prints the result line. Call once, after all threads have ended.
  void print(const char* program) const;

 private:
  const Options& options_;
  std::vector<float> after_decode_ms_;
  std::vector<float> latency_ms_;
  int64_t frames_ = 0;
  int64_t faces_ = 0;
  int64_t frames_with_face_ = 0;
  Face last_{};
  int64_t first_ns_ = 0;
  int64_t last_ns_ = 0;
  double steady_cpu_s_ = 0.0;
  uint64_t steady_allocations_ = 0;
};

}  // namespace baseline
