#include "quantize/held_out.h"

#include <algorithm>
#include <cmath>

#include "backends/ort/evaluator.h"
#include "quantize/run_sample.h"

namespace sluice::quantize {
namespace {

Result<std::vector<std::vector<float>>> outputs_of(ort::Evaluator& evaluator, const Sample& sample,
                                                   const pb::GraphProto& graph) {
  SLUICE_ASSIGN(const auto inputs, arrange(sample, evaluator, graph));
  SLUICE_ASSIGN(const auto arrays, evaluator.run(inputs));
  std::vector<std::vector<float>> out;
  for (const ort::ArrayView& array : arrays) {
    const bool floats = array.dtype == DType::kFloat32;
    out.emplace_back(floats ? std::vector<float>(array.floats().begin(), array.floats().end())
                            : std::vector<float>());
  }
  return out;
}

}  // namespace

Status InterruptibleSamples::go_on() const {
  return interrupted_ && interrupted_() ? cancelled("interrupted before all samples were seen") : Status{};
}

Status InterruptibleSamples::for_each(const std::function<Status(const Sample&)>& visit) {
  return all_.for_each([&](const Sample& sample) -> Status {
    SLUICE_RETURN_IF_ERROR(go_on());
    return visit(sample);
  });
}

Status HeldOut::for_each(const std::function<Status(const Sample&)>& visit) {
  std::size_t number = 0, kept = 0;
  const Status status = all_.for_each([&](const Sample& sample) -> Status {
    if (number++ % kEach != kEach - 1 || kept == kMost) return visit(sample);
    ++kept;
    if (full_) return {};
    Kept out{sample, {}};
    for (SampleInput& input : out.inputs) {
      out.bytes.emplace_back(input.data, input.data + input.bytes);
      input.data = out.bytes.back().data();
    }
    kept_.push_back(std::move(out));
    return {};
  });
  full_ = full_ || status.ok();
  return status;
}

std::optional<std::size_t> HeldOut::count() const {
  const auto all = all_.count();
  if (!all) return all;
  return *all - std::min(*all / kEach, kMost);
}

Sample HeldOut::sample(std::size_t i) const { return kept_[i].inputs; }

Result<Judge> Judge::make(const pb::ModelProto& network, const HeldOut& samples) {
  if (samples.size() == 0)
    return invalid("no sample can be held out: at least " + std::to_string(HeldOut::kEach) +
                   " are needed to measure");
  pb::GraphProto edges;
  *edges.mutable_input() = network.graph().input();
  *edges.mutable_output() = network.graph().output();
  Judge out(samples, edges);
  const std::string bytes = network.SerializeAsString();
  SLUICE_ASSIGN(const auto evaluator, ort::Evaluator::open(bytes, ort::Evaluator::Effort::kOptimised));
  for (std::size_t i = 0; i < samples.size(); ++i) {
    SLUICE_RETURN_IF_ERROR(samples.go_on());
    SLUICE_ASSIGN(auto outputs, outputs_of(*evaluator, samples.sample(i), out.graph_));
    out.outputs_.push_back(std::move(outputs));
  }
  return out;
}

Result<std::vector<ErrorMeter>> Judge::measure(const pb::ModelProto& model, std::size_t most) const {
  const std::string bytes = model.SerializeAsString();
  SLUICE_ASSIGN(const auto evaluator, ort::Evaluator::open(bytes, ort::Evaluator::Effort::kOptimised));
  std::vector<ErrorMeter> out(outputs_.front().size());
  for (std::size_t i = 0; i < std::min(most, outputs_.size()); ++i) {
    SLUICE_RETURN_IF_ERROR(samples_->go_on());
    SLUICE_ASSIGN(const auto outputs, outputs_of(*evaluator, samples_->sample(i), graph_));
    for (std::size_t o = 0; o < out.size(); ++o) out[o].add(outputs_[i][o], outputs[o]);
  }
  return out;
}

Result<Quality> Judge::quality(const pb::ModelProto& model, std::size_t most) const {
  SLUICE_ASSIGN(const auto meters, measure(model, most));
  Quality out{kMostSnr, 0};
  for (const ErrorMeter& meter : meters) {
    if (meter.count() == 0) continue;  // no floats
    out.snr_db = std::min(out.snr_db, meter.not_finite() > 0 ? -kMostSnr : meter.snr_db());
    out.mse = std::max(out.mse, meter.mse());
  }
  return out;
}

Result<double> Judge::harm(const pb::ModelProto& model, std::size_t most) const {
  SLUICE_ASSIGN(const auto meters, measure(model, most));
  double out = 0;
  for (const ErrorMeter& meter : meters) out += std::pow(10.0, -meter.snr_db() / 10);
  return out;
}

}  // namespace sluice::quantize
