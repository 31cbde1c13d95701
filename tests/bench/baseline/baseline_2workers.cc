// A decode thread and two workers; each worker preprocesses and infers whole frames with a session of its
// own. Results may finish out of order, which counting faces does not mind.
#include <mutex>
#include <thread>

#include "bounded_queue.h"
#include "face_model.h"
#include "planes_to_tensor.h"
#include "video_decoder.h"

namespace {

using namespace baseline;

// One in each worker, one in the decoder, two waiting.
constexpr int kFrames = 5;

struct Picture {
  AVFrame* frame = nullptr;
  Stamps stamps;
};

using Queue = BoundedQueue<Picture*, kFrames>;

void decode_all(VideoDecoder& decoder, Queue& empty, Queue& full) {
  Picture* picture = nullptr;
  while (empty.pop(picture) && decoder.next(picture->frame, picture->stamps)) full.push(picture);
  full.close();
}

struct Worker {
  PlanesToTensor preprocess;
  FaceModel model;

  Worker(Ort::Env& env, const Options& options, const VideoDecoder& decoder)
      : preprocess(options, decoder.width(), decoder.height()), model(env, options) {
    preprocess.prepare(model.input());
  }

  void run(Queue& empty, Queue& full, Stats& stats, std::mutex& stats_mutex) {
    Picture* picture = nullptr;
    while (full.pop(picture)) {
      preprocess.convert(*picture->frame, model.input());
      const Stamps stamps = picture->stamps;
      av_frame_unref(picture->frame);
      empty.push(picture);
      const std::vector<Face>& faces = model.detect();
      const std::lock_guard lock(stats_mutex);
      stats.finished(stamps, faces);
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse_options(argc, argv);
  VideoDecoder decoder(options);
  Ort::Env env = make_environment();
  Worker first(env, options, decoder);
  Worker second(env, options, decoder);
  Stats stats(options);
  std::mutex stats_mutex;
  Queue empty;
  Queue full;
  Picture pictures[kFrames];
  for (Picture& picture : pictures) {
    picture.frame = av_frame_alloc();
    empty.push(&picture);
  }

  std::thread decoding([&] { decode_all(decoder, empty, full); });
  std::thread helper([&] { second.run(empty, full, stats, stats_mutex); });
  first.run(empty, full, stats, stats_mutex);
  decoding.join();
  helper.join();
  for (Picture& picture : pictures) av_frame_free(&picture.frame);
  stats.print("baseline_2workers");
  return 0;
}
