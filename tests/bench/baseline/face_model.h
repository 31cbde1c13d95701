// BlazeFace on ONNX Runtime's CPU provider: one intra-op thread, no spinning, inputs and outputs bound once;
// then boxes and weighted non-maximum suppression as MediaPipe defines them.
#pragma once

#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "measure.h"

namespace baseline {

inline constexpr float kMinScore = 0.7F;
inline constexpr float kMinIou = 0.3F;

inline float overlap(const Face& a, const Face& b) {
  const float w = std::max(0.0F, std::min(a.x1, b.x1) - std::max(a.x0, b.x0));
  const float h = std::max(0.0F, std::min(a.y1, b.y1) - std::max(a.y0, b.y0));
  const float both = w * h;
  const float all = (a.x1 - a.x0) * (a.y1 - a.y0) + (b.x1 - b.x0) * (b.y1 - b.y0) - both;
  return all > 0.0F ? both / all : 0.0F;
}

// The environment of the process; must outlive every session. ONNX Runtime's release builds write a usage
// database and start threads that upload it unless this variable is set before.
inline Ort::Env make_environment() {
  setenv("ORT_DISABLE_TELEMETRY", "1", 1);
  return Ort::Env(ORT_LOGGING_LEVEL_ERROR, "baseline");
}

class FaceModel {
 public:
  // `inputs`: how many input buffers, each with its own binding, so that one can be filled while another is
  // read.
  FaceModel(Ort::Env& env, const Options& options, int inputs = 1) : size_(options.size), session_(nullptr) {
    Ort::SessionOptions settings;
    settings.SetIntraOpNumThreads(1);
    settings.SetInterOpNumThreads(1);
    settings.SetExecutionMode(ORT_SEQUENTIAL);
    settings.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
    settings.AddConfigEntry("session.intra_op.allow_spinning", "0");
    session_ = Ort::Session(env, options.model.c_str(), settings);
    make_anchors();
    bind(inputs);
    candidates_.reserve(anchors_.size());
    rest_.reserve(anchors_.size());
    faces_.reserve(anchors_.size());
  }

  // Where the input number `slot` lies: size x size x 3 floats.
  float* input(int slot = 0) { return inputs_[static_cast<size_t>(slot)].data(); }

  // Runs the network on input `slot` and returns the faces; they stay until the next call.
  const std::vector<Face>& detect(int slot = 0) {
    session_.Run(run_options_, bindings_[static_cast<size_t>(slot)]);
    candidates_.clear();
    collect(scores_[0], boxes_[0], 0);
    collect(scores_[1], boxes_[1], scores_[0].size());
    suppress();
    return faces_;
  }

 private:
  struct Anchor {
    float x, y;
  };

  // Centres of the cells: 2 per cell of the fine grid, 6 per cell of the coarse one.
  void make_anchors() {
    // 16 x 16 and 8 x 8 cells for both input sizes.
    const std::array<std::array<int, 2>, 2> layers{{{16, 2}, {8, 6}}};
    for (const auto& [cells, repeat] : layers) {
      for (int cell = 0; cell < cells * cells; ++cell) {
        const int row = cell / cells;
        const int column = cell % cells;
        const Anchor anchor{(static_cast<float>(column) + 0.5F) / static_cast<float>(cells),
                            (static_cast<float>(row) + 0.5F) / static_cast<float>(cells)};
        anchors_.insert(anchors_.end(), static_cast<size_t>(repeat), anchor);
      }
    }
  }

  void bind(int inputs) {
    const Ort::AllocatorWithDefaultOptions allocator;
    const Ort::MemoryInfo memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    const auto tensor = [&](std::vector<float>& data, std::vector<int64_t> shape) {
      return Ort::Value::CreateTensor<float>(memory, data.data(), data.size(), shape.data(), shape.size());
    };
    scores_ = {std::vector<float>(512), std::vector<float>(384)};
    boxes_ = {std::vector<float>(512 * 16), std::vector<float>(384 * 16)};
    inputs_.assign(static_cast<size_t>(inputs), std::vector<float>(static_cast<size_t>(size_) * size_ * 3));
    for (std::vector<float>& data : inputs_) {
      Ort::IoBinding binding(session_);
      binding.BindInput(session_.GetInputNameAllocated(0, allocator).get(),
                        tensor(data, {1, size_, size_, 3}));
      // The outputs, in the model's order: scores fine, scores coarse, boxes fine, boxes coarse.
      binding.BindOutput("Identity:0", tensor(scores_[0], {1, 512, 1}));
      binding.BindOutput("Identity_1:0", tensor(scores_[1], {1, 384, 1}));
      binding.BindOutput("Identity_2:0", tensor(boxes_[0], {1, 512, 16}));
      binding.BindOutput("Identity_3:0", tensor(boxes_[1], {1, 384, 16}));
      bindings_.push_back(std::move(binding));
    }
  }

  void collect(const std::vector<float>& scores, const std::vector<float>& boxes, size_t first_anchor) {
    // Comparing before the sigmoid saves 896 exponentials per frame.
    const float least = std::log(kMinScore / (1.0F - kMinScore));
    for (size_t i = 0; i < scores.size(); ++i) {
      if (scores[i] < least) continue;
      const Anchor anchor = anchors_[first_anchor + i];
      const float* raw = boxes.data() + i * 16;
      const float scale = 1.0F / static_cast<float>(size_);
      const float x = anchor.x + raw[0] * scale;
      const float y = anchor.y + raw[1] * scale;
      const float w = raw[2] * scale * 0.5F;
      const float h = raw[3] * scale * 0.5F;
      const float score = 1.0F / (1.0F + std::exp(-std::min(scores[i], 100.0F)));
      candidates_.push_back({x - w, y - h, x + w, y + h, score});
    }
  }

  // The best candidate takes all that overlap it into its average, again and again.
  void suppress() {
    std::sort(candidates_.begin(), candidates_.end(),
              [](const Face& a, const Face& b) { return a.score > b.score; });
    faces_.clear();
    while (!candidates_.empty()) {
      const Face best = candidates_.front();
      rest_.clear();
      Face sum{0, 0, 0, 0, 0};
      for (const Face& face : candidates_) {
        if (overlap(best, face) <= kMinIou) {
          rest_.push_back(face);
          continue;
        }
        sum = {sum.x0 + face.x0 * face.score, sum.y0 + face.y0 * face.score, sum.x1 + face.x1 * face.score,
               sum.y1 + face.y1 * face.score, sum.score + face.score};
      }
      if (sum.score <= 0.0F) break;  // a box without area overlaps nothing, not even itself
      faces_.push_back(
          {sum.x0 / sum.score, sum.y0 / sum.score, sum.x1 / sum.score, sum.y1 / sum.score, best.score});
      candidates_.swap(rest_);
    }
  }

  int size_;
  Ort::Session session_;
  Ort::RunOptions run_options_;
  std::vector<Ort::IoBinding> bindings_;
  std::vector<std::vector<float>> inputs_;
  std::array<std::vector<float>, 2> scores_;
  std::array<std::vector<float>, 2> boxes_;
  std::vector<Anchor> anchors_;
  std::vector<Face> candidates_;
  std::vector<Face> rest_;
  std::vector<Face> faces_;
};

}  // namespace baseline
