// video_source: reads a video file, a network camera or a test pattern.
//   inputs   none
//   outputs  frame: the decoder's picture as it is (nv12, i420, i422, i444, gray, rgb, bgr),
//            read-only for all
//   options  uri, pace, loop, timeout_ms, reconnect, width, height, fps, max_width, max_height: see describe
//   drops    pool_empty: realtime and no free buffer; corrupt captures are counted and not produced
//   thread   its own
#include <fmt/format.h>

#include <mutex>

#include "framework/core/log.h"
#include "nodes/module_loader.h"
#include "nodes/test_pattern.h"
#include "nodes/video_nodes.h"
#include "nodes/video_uri.h"

namespace sluice {
namespace {

// Chooses what reads the uri; everything else is that backend's.
class VideoSource final : public SourceNode {
 public:
  static void describe(NodeDeclaration& d);

  Result<SourceInfo> probe(const OpenContext& context) override {
    SLUICE_ASSIGN(const VideoUri uri, parse_video_uri(context.options->text("uri")));
    SLUICE_RETURN_IF_ERROR(choose_backend(uri));
    if (uri.backend != VideoBackend::kTest) warn_of_requests(*context.options);
    return backend_->probe(context);
  }
  Status open(const OpenContext& context) override { return backend_ ? backend_->open(context) : Status{}; }
  Result<Capture> next(SourceContext& context) override { return backend_->next(context); }
  Status close() override { return backend_ ? backend_->close() : Status{}; }

  void interrupt() override {
    std::lock_guard lock(mutex_);
    interrupted_ = true;
    if (backend_) backend_->interrupt();
  }

 private:
  Status choose_backend(const VideoUri& uri) {
    std::unique_ptr<SourceNode> backend;
    if (uri.backend == VideoBackend::kTest) {
      backend = make_test_pattern(uri.target);
    } else {
      SLUICE_ASSIGN(std::unique_ptr<Node> node, create_from_module("video", "sluice_stream_source"));
      backend.reset(static_cast<SourceNode*>(node.release()));
    }
    std::lock_guard lock(mutex_);
    backend_ = std::move(backend);
    if (interrupted_) backend_->interrupt();
    return {};
  }

  static void warn_of_requests(const Options& options) {
    for (const char* name : {"width", "height", "fps"}) {
      if (!options.has(name)) continue;
      log_message(LogLevel::kWarning,
                  fmt::format("option '{}' asks a camera or a test pattern; a file or stream has its "
                              "own, so it is ignored",
                              name));
    }
  }

  std::mutex mutex_;  // backend_ is set in probe while another thread may interrupt
  std::unique_ptr<SourceNode> backend_;
  bool interrupted_ = false;
};

void check_options(const Options& options, const RefuseOption& refuse) {
  if (!options.has("uri")) return;
  const Result<VideoUri> uri = parse_video_uri(options.text("uri"));
  if (!uri.ok()) return refuse("uri", uri.status());
  if (uri->backend == VideoBackend::kTest) check_test_pattern(uri->target, options, refuse);
}

Result<std::vector<PortType>> infer_types(const TypeContext&) {
  PortType type;
  type.kind = PortKind::kFrame;
  type.payload = payload_type<Image>();
  type.name = "frame";
  return std::vector<PortType>{type};
}

void VideoSource::describe(NodeDeclaration& d) {
  d.about("Reads a video file, a network camera or a test pattern.");
  d.source = true;
  d.thread = ThreadKind::kOwn;
  d.check_options = check_options;
  d.infer_types = infer_types;
  d.output("frame", PortKind::kFrame).help("the decoder's picture, unconverted").shared_read_only();
  d.option("uri", OptionKind::kUri)
      .must()
      .help(
          "a file, rtsp://, http://, test:bars, test:noise or test:clock; an http address that does not end "
          "in a video file (.mp4, .m3u8, ...) is a live camera");
  d.option("pace", OptionKind::kRate)
      .any_of({"realtime", "max"})
      .help("how fast a file is read: realtime, max (default), or frames per second");
  d.option("loop", false).help("start a file again at its end; numbers and media time go on");
  d.option("timeout_ms", 5000)
      .in_unit("ms")
      .range(1, 3'600'000)
      .help("longest wait for an answer from the source");
  d.option("reconnect", true)
      .help("live sources: connect again for ever, waiting 0.1 s to 5 s between attempts");
  d.option("width", OptionKind::kInteger)
      .in_unit("px")
      .range(1, 16384)
      .help("asked of a camera or test pattern");
  d.option("height", OptionKind::kInteger)
      .in_unit("px")
      .range(1, 16384)
      .help("asked of a camera or test pattern");
  d.option("fps", OptionKind::kNumber)
      .in_unit("1/s")
      .range(0.001, 1000)
      .help("asked of a camera or test pattern");
  d.option("max_width", 3840).in_unit("px").range(1, 16384).help("a larger picture ends the source by error");
  d.option("max_height", 2160)
      .in_unit("px")
      .range(1, 16384)
      .help("a larger picture ends the source by error");
}

}  // namespace

NodeDeclaration video_source_declaration() {
  NodeDeclaration d;
  d.type = "video_source";
  d.create = [] { return Result<std::unique_ptr<Node>>(std::make_unique<VideoSource>()); };
  VideoSource::describe(d);
  return d;
}

}  // namespace sluice
