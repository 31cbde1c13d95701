// camera_demo: find faces in a video file, a network camera or a test picture, and see them.
//
//   camera_demo [SOURCE] [MODEL.onnx] [OUTPUT.mp4]
//
// Shows a window where there is a display and no OUTPUT is named, else writes OUTPUT (camera_demo.mp4). A
// window closes with q.
#include <sluice/sluice.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "apps/camera_demo/window.h"

namespace {

// A text as YAML takes it whatever it holds; a dollar sign would name a variable of the environment.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' || c == '$' ? std::string(2, c) : std::string(1, c);
  return out + "'";
}

std::string pipeline_text(const std::string& source, const std::string& model, const std::string& sink) {
  return "version: 1\n"
         "name: camera_demo\n"
         "models: {face: {path: " +
         quoted(model) +
         "}}\n"
         "nodes:\n"
         "  - {id: camera, type: video_source, options: {uri: " +
         quoted(source) +
         ", pace: realtime}}\n"
         "  - {id: pre, type: preprocess, inputs: camera, options: {model: face, fit: letterbox, mean: "
         "127.5, std: 127.5}}\n"
         "  - {id: face, type: infer, inputs: pre, options: {model: face}}\n"
         "  - {id: boxes, type: detect, inputs: face, options: {decoder: blazeface, min_score: 0.7, labels: "
         "[face]}}\n"
         "  - {id: overlay, type: draw, inputs: {image: camera, detections: boxes}, options: {show_fps: "
         "true}}\n" +
         sink;
}

volatile std::sig_atomic_t interrupted = 0;

int fail(const sluice::Status& status) {
  std::fprintf(stderr, "camera_demo: %s\n", status.message().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::filesystem::path data =
      std::filesystem::canonical("/proc/self/exe").parent_path() / "../../../data";
  const std::string source = argc > 1 ? argv[1] : (data / "videos/movie-hello.mp4").string();
  const std::string model = argc > 2 ? argv[2] : (data / "models/face_detection_back_256x256.onnx").string();
  const std::string output = argc > 3 ? argv[3] : "camera_demo.mp4";
  const bool display =
      argc <= 3 && (std::getenv("DISPLAY") != nullptr || std::getenv("WAYLAND_DISPLAY") != nullptr);
  const std::string sink =
      display
          ? "  - {id: screen, type: app_sink, inputs: overlay}\n"
          : "  - {id: file, type: video_sink, inputs: overlay, options: {path: " + quoted(output) + "}}\n";

  auto pipeline = sluice::Pipeline::load(pipeline_text(source, model, sink), sluice::builtin_registry());
  if (!pipeline.ok()) return fail(pipeline.status());
  Window window("Sluice");
  if (display) {
    auto status =
        pipeline->app_sink("screen").on_packet([&](const sluice::Packet& packet) { window.offer(packet); });
    if (!status.ok()) return fail(status);
  }
  const bool no_hangup = std::signal(SIGHUP, SIG_IGN) == SIG_IGN;  // nohup
  for (const int number : {SIGINT, SIGTERM, SIGHUP})
    if (number != SIGHUP || !no_hangup) std::signal(number, [](int) { interrupted = 1; });
  if (auto status = pipeline->start(); !status.ok()) return fail(status);
  while (!pipeline->wait_for(0.02)) {
    if (interrupted || (display && !window.show())) pipeline->stop();
  }
  if (auto status = pipeline->wait(); !status.ok()) return fail(status);
  const sluice::RunReport report = pipeline->report();
  std::printf("%llu frames, %.1f frames per second%s%s\n",
              static_cast<unsigned long long>(report.sources.front().delivered), report.fps.value_or(0.0),
              display ? "" : ", written to ", display ? "" : output.c_str());
  return 0;
}
