// Decode, preprocess, infer and count faces in one thread: the least CPU and the least latency a program can
// have here.
#include "face_model.h"
#include "planes_to_tensor.h"
#include "video_decoder.h"

int main(int argc, char** argv) {
  using namespace baseline;
  const Options options = parse_options(argc, argv);
  VideoDecoder decoder(options);
  PlanesToTensor preprocess(options, decoder.width(), decoder.height());
  Ort::Env env = make_environment();
  FaceModel model(env, options);
  preprocess.prepare(model.input());
  Stats stats(options);

  AVFrame* frame = av_frame_alloc();
  Stamps stamps;
  while (decoder.next(frame, stamps)) {
    preprocess.convert(*frame, model.input());
    av_frame_unref(frame);
    stats.finished(stamps, model.detect());
  }
  av_frame_free(&frame);
  stats.print("baseline_1thread");
  return 0;
}
