// The face pipeline as a user of GStreamer builds it: decode ! queue ! scale ! convert ! queue ! appsink, and
// ONNX Runtime on what the sink gives. Arguments and output as the hand-written programs of
// tests/bench/baseline.
#include <gst/app/gstappsink.h>
#include <gst/gst.h>

#include <array>
#include <mutex>
#include <string>

#include "tests/bench/baseline/face_model.h"

namespace {

using namespace baseline;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "error: %s\n", what.c_str());
  std::exit(1);
}

// When the decoder let go of the last pictures, by their time stamp.
class DecodedAt {
 public:
  void note(GstClockTime pts) {
    const std::lock_guard lock(mutex_);
    ring_[next_++ % ring_.size()] = {pts, now_ns()};
  }
  int64_t find(GstClockTime pts) {
    const std::lock_guard lock(mutex_);
    for (size_t back = 1; back <= ring_.size(); ++back) {
      const auto& [stamp, at] = ring_[(next_ + ring_.size() - back) % ring_.size()];
      if (stamp == pts) return at;
    }
    return now_ns();
  }

 private:
  std::mutex mutex_;
  std::array<std::pair<GstClockTime, int64_t>, 64> ring_{};
  size_t next_ = 64;
};

GstPadProbeReturn on_decoded(GstPad*, GstPadProbeInfo* info, gpointer decoded) {
  static_cast<DecodedAt*>(decoded)->note(GST_BUFFER_PTS(GST_PAD_PROBE_INFO_BUFFER(info)));
  return GST_PAD_PROBE_OK;
}

// 16:9 into a square: as wide as the model's input, centred.
struct Target {
  int width, height, top;
};

Target target_of(const Options& options) {
  const int height = options.stretch ? options.size : options.size * 9 / 16;
  return {options.size, height, (options.size - height) / 2};
}

GstElement* make_pipeline(const Options& options, const Target& target, DecodedAt& decoded) {
  const std::string size =
      "width=" + std::to_string(target.width) + ",height=" + std::to_string(target.height);
  // Paced like a camera: a picture is decoded when it is due, not ahead of it.
  const std::string pace = options.fps > 0.0 ? "clocksync ! " : "";
  const std::string text =
      "filesrc location=\"" + options.video + "\" ! qtdemux ! h264parse ! " + pace +
      "avdec_h264 name=decoder max-threads=1 ! queue max-size-buffers=4 max-size-bytes=0 "
      "max-size-time=0 ! videoscale ! video/x-raw," +
      size +
      " ! videoconvert ! video/x-raw,format=RGB ! queue max-size-buffers=4 ! appsink name=sink "
      "max-buffers=4 sync=false";
  GError* error = nullptr;
  GstElement* pipeline = gst_parse_launch(text.c_str(), &error);
  if (error != nullptr) fail(error->message);
  GstElement* decoder = gst_bin_get_by_name(GST_BIN(pipeline), "decoder");
  GstPad* pad = gst_element_get_static_pad(decoder, "src");
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_decoded, &decoded, nullptr);
  gst_object_unref(pad);
  gst_object_unref(decoder);
  return pipeline;
}

void to_tensor(const GstBuffer& buffer, const Target& target, float* tensor) {
  GstMapInfo map;
  if (!gst_buffer_map(const_cast<GstBuffer*>(&buffer), &map, GST_MAP_READ)) fail("a picture cannot be read");
  const size_t row = static_cast<size_t>(target.width) * 3;
  const size_t stride = (row + 3) / 4 * 4;  // GStreamer's rows of packed RGB
  for (int y = 0; y < target.height; ++y) {
    const uint8_t* in = map.data + static_cast<size_t>(y) * stride;
    float* out = tensor + static_cast<size_t>(target.top + y) * row;
    for (size_t x = 0; x < row; ++x) out[x] = static_cast<float>(in[x]) * (1.0F / 127.5F) - 1.0F;
  }
  gst_buffer_unmap(const_cast<GstBuffer*>(&buffer), &map);
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse_options(argc, argv);
  gst_init(nullptr, nullptr);
  const Target target = target_of(options);
  Ort::Env env = make_environment();
  FaceModel model(env, options);
  std::fill_n(model.input(), static_cast<size_t>(options.size) * static_cast<size_t>(options.size) * 3,
              -1.0F);
  DecodedAt decoded;
  GstElement* pipeline = make_pipeline(options, target, decoded);
  GstElement* sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
  Stats stats(options);

  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  for (int loop = 0; loop < options.loops; ++loop) {
    while (GstSample* sample = gst_app_sink_pull_sample(GST_APP_SINK(sink))) {
      const GstBuffer* buffer = gst_sample_get_buffer(sample);
      const int64_t at = decoded.find(GST_BUFFER_PTS(buffer));
      to_tensor(*buffer, target, model.input());
      gst_sample_unref(sample);
      stats.finished({at, at}, model.detect());
    }
    if (!gst_element_seek_simple(pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, 0))
      fail("the video cannot be rewound");
  }
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(sink);
  gst_object_unref(pipeline);
  stats.print("gstreamer_faces");
  return 0;
}
