// Pictures or a video as samples of a model: a pipeline's own preprocess makes the tensors.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "framework/spec/spec.h"
#include "quantize/samples.h"
#include "tools/sluice/interrupts.h"

namespace sluice::cli {

// Every round runs the pipeline once, as fast as the samples are taken; one tensor at a time is in use.
class PictureSamples final : public quantize::Samples {
 public:
  // `pipeline` as calibration_pipeline.h makes it; its tensors become input `input`. `interrupts` outlives
  // it.
  PictureSamples(GraphSpec pipeline, std::string input, Interrupts& interrupts)
      : pipeline_(std::move(pipeline)), input_(std::move(input)), interrupts_(interrupts) {}

  // kInvalid, kUnavailable: the pipeline is wrong for this model or these data (nothing was run); kCancelled:
  // interrupted; kFailed.
  Status for_each(const std::function<Status(const quantize::Sample&)>& visit) override;
  // Of the last round; none before it.
  std::optional<std::size_t> count() const override { return count_; }
  // Pictures of the last round that could not be read.
  std::uint64_t unreadable() const { return unreadable_; }

 private:
  const GraphSpec pipeline_;
  const std::string input_;
  Interrupts& interrupts_;
  std::optional<std::size_t> count_;
  std::uint64_t unreadable_ = 0;
};

}  // namespace sluice::cli
