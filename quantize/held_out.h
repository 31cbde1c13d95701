// Samples that are kept from the statistics, to measure what was made of the others.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "framework/core/status.h"
#include "quantize/error_meter.h"
#include "quantize/onnx_proto.h"
#include "quantize/samples.h"

namespace sluice::quantize {

// Samples of which each may be the last one.
class InterruptibleSamples final : public Samples {
 public:
  InterruptibleSamples(Samples& all, std::function<bool()> interrupted)
      : all_(all), interrupted_(std::move(interrupted)) {}
  Status for_each(const std::function<Status(const Sample&)>& visit) override;
  std::optional<std::size_t> count() const override { return all_.count(); }
  // kCancelled once it was interrupted.
  Status go_on() const;

 private:
  Samples& all_;
  const std::function<bool()> interrupted_;
};

// Every kEach-th of `all` is held out, at most kMost of them; they stay in memory.
class HeldOut final : public Samples {
 public:
  static constexpr std::size_t kEach = 4;
  static constexpr std::size_t kMost = 32;

  explicit HeldOut(InterruptibleSamples& all) : all_(all) {}

  // The others. The first round fills `kept`.
  Status for_each(const std::function<Status(const Sample&)>& visit) override;
  std::optional<std::size_t> count() const override;
  std::size_t size() const { return kept_.size(); }
  Sample sample(std::size_t i) const;
  Status go_on() const { return all_.go_on(); }

 private:
  struct Kept {
    Sample inputs;  // whose data lie in `bytes`
    std::vector<std::vector<std::byte>> bytes;
  };
  InterruptibleSamples& all_;
  std::vector<Kept> kept_;
  bool full_ = false;
};

// How good a model is: its worst output.
struct Quality {
  double snr_db = 0;
  double mse = 0;
};

struct Target {
  std::optional<double> max_mse, min_snr;
  bool wanted() const { return max_mse || min_snr; }
  bool met_by(const Quality& quality) const {
    return (!max_mse || quality.mse <= *max_mse) && (!min_snr || quality.snr_db >= *min_snr);
  }
};

// Compares models with the float network on held-out samples.
class Judge {
 public:
  // Runs the float network once per held-out sample. `samples` outlives it.
  static Result<Judge> make(const pb::ModelProto& network, const HeldOut& samples);

  // On the first `most` samples. The model has the network's inputs and outputs, as floats. kFailed,
  // kUnavailable.
  Result<Quality> quality(const pb::ModelProto& model, std::size_t most = HeldOut::kMost) const;
  // Energy of the error relative to that of the signal, summed over the outputs.
  Result<double> harm(const pb::ModelProto& model, std::size_t most) const;

 private:
  Judge(const HeldOut& samples, const pb::GraphProto& graph) : samples_(&samples), graph_(graph) {}
  Result<std::vector<ErrorMeter>> measure(const pb::ModelProto& model, std::size_t most) const;

  const HeldOut* samples_;
  pb::GraphProto graph_;                                  // inputs and outputs
  std::vector<std::vector<std::vector<float>>> outputs_;  // by sample and output
};

}  // namespace sluice::quantize
