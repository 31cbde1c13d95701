// Three threads, one per stage: decode | preprocess | infer and count faces. Frames and tensors are made once
// and go round: each stage takes an empty one from the stage behind it.
#include <thread>

#include "bounded_queue.h"
#include "face_model.h"
#include "planes_to_tensor.h"
#include "video_decoder.h"

namespace {

using namespace baseline;

// More does not make it faster, only later.
constexpr int kFrames = 4;
constexpr int kTensors = 3;

struct Picture {
  AVFrame* frame = nullptr;
  Stamps stamps;
};

struct Tensor {
  int slot = 0;
  Stamps stamps;
};

struct Pipeline {
  BoundedQueue<Picture*, kFrames> empty_pictures;
  BoundedQueue<Picture*, kFrames> pictures;
  BoundedQueue<Tensor, kTensors> empty_tensors;
  BoundedQueue<Tensor, kTensors> tensors;
};

void decode_all(VideoDecoder& decoder, Pipeline& line) {
  Picture* picture = nullptr;
  while (line.empty_pictures.pop(picture) && decoder.next(picture->frame, picture->stamps)) {
    line.pictures.push(picture);
  }
  line.pictures.close();
}

void preprocess_all(PlanesToTensor& preprocess, FaceModel& model, Pipeline& line) {
  Picture* picture = nullptr;
  Tensor tensor;
  while (line.pictures.pop(picture) && line.empty_tensors.pop(tensor)) {
    preprocess.convert(*picture->frame, model.input(tensor.slot));
    tensor.stamps = picture->stamps;
    av_frame_unref(picture->frame);
    line.tensors.push(tensor);
    line.empty_pictures.push(picture);
  }
  line.tensors.close();
}

void infer_all(FaceModel& model, Stats& stats, Pipeline& line) {
  Tensor tensor;
  while (line.tensors.pop(tensor)) {
    const std::vector<Face>& faces = model.detect(tensor.slot);
    line.empty_tensors.push(tensor);
    stats.finished(tensor.stamps, faces);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse_options(argc, argv);
  VideoDecoder decoder(options);
  PlanesToTensor preprocess(options, decoder.width(), decoder.height());
  Ort::Env env = make_environment();
  FaceModel model(env, options, kTensors);
  Stats stats(options);
  Pipeline line;
  Picture pictures[kFrames];
  for (Picture& picture : pictures) {
    picture.frame = av_frame_alloc();
    line.empty_pictures.push(&picture);
  }
  for (int slot = 0; slot < kTensors; ++slot) {
    preprocess.prepare(model.input(slot));
    line.empty_tensors.push({slot, {}});
  }

  std::thread decoding(decode_all, std::ref(decoder), std::ref(line));
  std::thread preprocessing(preprocess_all, std::ref(preprocess), std::ref(model), std::ref(line));
  infer_all(model, stats, line);
  decoding.join();
  preprocessing.join();
  for (Picture& picture : pictures) av_frame_free(&picture.frame);
  stats.print("baseline_3threads");
  return 0;
}
