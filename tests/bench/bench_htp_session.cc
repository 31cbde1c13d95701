// What an htp session costs beside the NPU, against what was promised: our own part of a run (the provider is
// the tests' mock, which copies 16 bytes, so what is measured is ours and ONNX Runtime's own call), and a
// load from the cache against the compile that made it, in a fresh process and in one that has loaded
// Qualcomm's library before.
//
//   bench_htp_session [MODEL]     default: BlazeFace 128 w8a16 under data/models
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "backends/htp/htp_backend.h"
#include "tests/inference/onnx_builder.h"

namespace sluice {
namespace {

namespace fs = std::filesystem;

constexpr double kMostOwnUs = 20;
constexpr double kLeastCold = 4, kLeastWarm = 10;
constexpr int kRepeats = 5;
constexpr const char* kModel = "data/models/face_detection_front_128x128.w8a16.onnx";
constexpr const char* kChild = "--open";  // MODEL CACHE: opens once and prints the milliseconds

double now_us() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::micro>(now).count();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.empty() ? 0 : values[values.size() / 2];
}

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "bench_htp_session: %s\n", why.c_str());
  std::exit(1);
}

// A folder that goes with the program.
class Scratch {
 public:
  Scratch() {
    std::string name = (fs::temp_directory_path() / "bench_htp_XXXXXX").string();
    if (!::mkdtemp(name.data())) give_up("no temporary folder");
    path_ = name;
  }
  ~Scratch() { fs::remove_all(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::string operator/(const std::string& name) const { return path_ / name; }

 private:
  fs::path path_;
};

SessionRequest request_for(const std::string& model) {
  SessionRequest request;
  request.model = {.name = "m", .variant = {}, .path = model, .sha256 = {}, .dims = {}};
  request.backend = "htp";
  request.on_fallback = "error";
  return request;
}

Tensor tensor_of(const TensorType& type, std::array<float, 4>& values) {
  Tensor out;
  out.type = std::make_shared<const TensorType>(type);
  out.data = reinterpret_cast<std::byte*>(values.data());
  out.bytes = sizeof values;
  return out;
}

double own_us_per_run(const Scratch& scratch) {
  const std::string path = scratch / "relu.onnx";
  std::ofstream(path, std::ios::binary) << testing::relu_model({1, 4}).bytes();
  SteadyClock clock;
  HtpSetup setup;
  setup.clock = &clock;
  setup.cache = std::make_shared<ArtifactCache>("");
  setup.simulated = true;
  setup.provider = [] { return htp::Provider::open({SLUICE_MOCK_PROVIDER, "", ""}); };
  const auto backend = make_htp_backend(std::move(setup));
  const auto session = backend->open(request_for(path));
  if (!session.ok()) give_up(session.status().message());
  std::array<float, 4> in{1, 2, 3, 4}, out{};
  const Tensor input = tensor_of((*session)->signature().inputs[0], in);
  Tensor output = tensor_of((*session)->signature().outputs[0], out);
  const Tensor* const inputs[] = {&input};
  Tensor* const outputs[] = {&output};
  constexpr int kRuns = 2000;
  std::vector<double> us;
  for (int batch = 0; batch < 20; ++batch) {
    const double start = now_us();
    for (int i = 0; i < kRuns; ++i)
      if (!(*session)->run(0, inputs, outputs).ok()) give_up("a run failed");
    us.push_back((now_us() - start) / kRuns);
  }
  return median(us);
}

double open_ms(const std::string& model, const std::string& cache) {
  static SteadyClock clock;
  HtpSetup setup;
  setup.clock = &clock;
  setup.cache = std::make_shared<ArtifactCache>(cache);
  const auto backend = make_htp_backend(std::move(setup));
  const double start = now_us();
  const auto session = backend->open(request_for(model));
  const double ms = (now_us() - start) / 1000;
  if (!session.ok()) give_up(session.status().message());
  return ms;
}

double open_ms_elsewhere(const std::string& model, const std::string& cache) {
  const std::string command =
      fs::read_symlink("/proc/self/exe").string() + " " + kChild + " '" + model + "' '" + cache + "'";
  FILE* const child = ::popen(command.c_str(), "r");
  double ms = 0;
  const bool read = child && std::fscanf(child, "%lf", &ms) == 1;
  if (!child || ::pclose(child) != 0 || !read) give_up("a child failed");
  return ms;
}

struct Pair {
  double compile_ms, load_ms;
};

template <typename Open>
Pair compile_and_load(const Scratch& scratch, const char* name, const Open& open) {
  std::vector<double> compile, load;
  for (int i = 0; i < kRepeats; ++i) {
    const std::string cache = scratch / (std::string(name) + std::to_string(i));
    compile.push_back(open(cache));
    load.push_back(open(cache));
  }
  return {median(compile), median(load)};
}

bool say(const char* where, const Pair& pair, double goal) {
  const double ratio = pair.compile_ms / pair.load_ms;
  std::printf("%s: compile %.1f ms, load from the cache %.1f ms: %.1f times (promised %.0f)%s\n", where,
              pair.compile_ms, pair.load_ms, ratio, goal, ratio >= goal ? "" : ", MISSED");
  return ratio >= goal;
}

int measure(const std::string& model) {
  const Scratch scratch;
  const double own = own_us_per_run(scratch);
  std::printf("our own part of a run: %.2f us (promised %.0f)%s\n", own, kMostOwnUs,
              own < kMostOwnUs ? "" : ", MISSED");
  const Pair cold = compile_and_load(
      scratch, "cold", [&](const std::string& cache) { return open_ms_elsewhere(model, cache); });
  open_ms(model, "");
  const Pair warm =
      compile_and_load(scratch, "warm", [&](const std::string& cache) { return open_ms(model, cache); });
  const bool cold_met = say("fresh process", cold, kLeastCold);
  const bool warm_met = say("warm process", warm, kLeastWarm);
  return own < kMostOwnUs && cold_met && warm_met ? 0 : 1;
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  if (argc == 4 && std::strcmp(argv[1], sluice::kChild) == 0) {
    std::printf("%f\n", sluice::open_ms(argv[2], argv[3]));
    return 0;
  }
  return sluice::measure(argc > 1 ? argv[1] : sluice::kModel);
}
