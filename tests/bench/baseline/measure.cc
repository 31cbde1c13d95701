#include "measure.h"

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <thread>

namespace {

std::atomic<uint64_t> g_allocations{0};

void count_allocation() { g_allocations.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

// Every allocation of the process passes here: symbols of the executable come first, so libavcodec, OpenCV
// and ONNX Runtime bind to these too. glibc exports the real ones under these names.
#pragma GCC visibility push(default)
extern "C" {
// NOLINTBEGIN(bugprone-reserved-identifier): glibc's names
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* old, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
// NOLINTEND(bugprone-reserved-identifier)

void* malloc(size_t size) {
  count_allocation();
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  count_allocation();
  return __libc_calloc(count, size);
}
void* realloc(void* old, size_t size) {
  count_allocation();
  return __libc_realloc(old, size);
}
void* memalign(size_t alignment, size_t size) {
  count_allocation();
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  count_allocation();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** out, size_t alignment, size_t size) {
  count_allocation();
  void* block = __libc_memalign(alignment, size);
  if (block == nullptr) return ENOMEM;
  *out = block;
  return 0;
}
}
#pragma GCC visibility pop

namespace baseline {

namespace {

[[noreturn]] void usage(const char* program) {
  std::fprintf(
      stderr,
      "usage: %s --model 128|256 MODEL.onnx --video FILE [--loops N] [--fps F] [--fit letterbox|stretch] "
      "[--json]\n",
      program);
  std::exit(2);
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// From /proc, because ru_maxrss also remembers the process that started this one.
double peak_rss_mb() {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.rfind("VmHWM:", 0) == 0) return std::atof(line.c_str() + 6) / 1024.0;
  }
  return 0.0;
}

// The smallest value that at least `share` of the values do not exceed.
double percentile(const std::vector<float>& sorted, double share) {
  if (sorted.empty()) return 0.0;
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return static_cast<double>(sorted[std::clamp<size_t>(rank, 1, sorted.size()) - 1]);
}

std::string summary_json(std::vector<float> values) {
  std::sort(values.begin(), values.end());
  double sum = 0.0;
  for (const float value : values) sum += static_cast<double>(value);
  const double mean = values.empty() ? 0.0 : sum / static_cast<double>(values.size());
  char text[200];
  std::snprintf(text, sizeof text, R"({"mean": %.4f, "p50": %.4f, "p95": %.4f, "p99": %.4f, "max": %.4f})",
                mean, percentile(values, 0.50), percentile(values, 0.95), percentile(values, 0.99),
                percentile(values, 1.0));
  return text;
}

}  // namespace

Options parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string key = argv[i];
    const auto next = [&]() -> const char* {
      if (++i >= argc) usage(argv[0]);
      return argv[i];
    };
    if (key == "--model") {
      options.size = std::atoi(next());
      options.model = next();
    } else if (key == "--video") {
      options.video = next();
    } else if (key == "--loops") {
      options.loops = std::atoi(next());
    } else if (key == "--fps") {
      options.fps = std::atof(next());
    } else if (key == "--fit") {
      options.stretch = std::strcmp(next(), "stretch") == 0;
    } else if (key == "--json") {
      options.json = true;
    } else {
      usage(argv[0]);
    }
  }
  if ((options.size != 128 && options.size != 256) || options.model.empty() || options.video.empty() ||
      options.loops < 1 || options.fps < 0.0) {
    usage(argv[0]);
  }
  return options;
}

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void sleep_until_ns(int64_t at_ns) {
  std::this_thread::sleep_until(std::chrono::steady_clock::time_point(std::chrono::nanoseconds(at_ns)));
}

uint64_t allocation_count() { return g_allocations.load(std::memory_order_relaxed); }

Stats::Stats(const Options& options) : options_(options) {
  // An hour at 100 fps; untouched pages of a reservation cost no memory.
  after_decode_ms_.reserve(360000);
  latency_ms_.reserve(360000);
}

void Stats::finished(const Stamps& stamps, const std::vector<Face>& faces) {
  last_ns_ = now_ns();
  ++frames_;
  faces_ += static_cast<int64_t>(faces.size());
  frames_with_face_ += faces.empty() ? 0 : 1;
  if (!faces.empty()) last_ = faces.front();
  if (frames_ == 1) first_ns_ = last_ns_;
  if (frames_ == kWarmFrames) {
    steady_cpu_s_ = cpu_seconds();
    steady_allocations_ = allocation_count();
  }
  if (after_decode_ms_.size() == after_decode_ms_.capacity()) return;
  after_decode_ms_.push_back(static_cast<float>(last_ns_ - stamps.decoded_ns) * 1e-6F);
  latency_ms_.push_back(static_cast<float>(last_ns_ - stamps.start_ns) * 1e-6F);
}

void Stats::print(const char* program) const {
  const double cpu_s = cpu_seconds() - steady_cpu_s_;
  const uint64_t allocations = allocation_count() - steady_allocations_;
  const auto steady = static_cast<double>(std::max<int64_t>(frames_ - kWarmFrames, 1));
  const double wall_s = static_cast<double>(last_ns_ - first_ns_) * 1e-9;
  const double fps = frames_ > 1 ? static_cast<double>(frames_ - 1) / wall_s : 0.0;
  const double cpu_ms = cpu_s * 1e3 / steady;
  const double per_frame = static_cast<double>(allocations) / steady;
  if (!options_.json) {
    std::printf("%s: %ld frames, %ld faces, %.1f fps, %.3f CPU ms per frame, peak %.1f MB\n", program,
                static_cast<long>(frames_), static_cast<long>(faces_), fps, cpu_ms, peak_rss_mb());
    return;
  }
  std::printf(
      R"({"program": "%s", "model": %d, "frames": %ld, "faces": %ld, "frames_with_face": %ld, "fps": %.2f, )",
      program, options_.size, static_cast<long>(frames_), static_cast<long>(faces_),
      static_cast<long>(frames_with_face_), fps);
  std::printf(R"("cpu_ms_per_frame": %.4f, "after_decode_ms": %s, "latency_ms": %s, )", cpu_ms,
              summary_json(after_decode_ms_).c_str(), summary_json(latency_ms_).c_str());
  std::printf(R"("peak_rss_mb": %.1f, "allocations_per_frame": %.2f, "last_box": [%.4f, %.4f, %.4f, %.4f]})"
              "\n",
              peak_rss_mb(), per_frame, static_cast<double>(last_.x0), static_cast<double>(last_.y0),
              static_cast<double>(last_.x1), static_cast<double>(last_.y1));
}

}  // namespace baseline
