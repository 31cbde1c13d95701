#include "quantize/quantizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>

#include "quantize/encodings_file.h"
#include "quantize/equalize.h"
#include "quantize/float_model.h"
#include "quantize/fuse_gelu.h"
#include "quantize/graph_index.h"
#include "quantize/groups.h"
#include "quantize/held_out.h"
#include "quantize/infer_types.h"
#include "quantize/input_info.h"
#include "quantize/insert.h"
#include "quantize/mixed.h"
#include "quantize/operators.h"
#include "quantize/plan.h"
#include "quantize/raise_opset.h"
#include "quantize/statistics.h"

namespace sluice::quantize {
namespace {

Result<Scheme> scheme_of(const Request& request) {
  Scheme out;
  out.bits = request.scheme == "w8a16" ? 16 : 8;
  out.per_channel = !request.per_tensor;
  const auto range = parse_range_method(request.range);
  if (!range) return invalid("range method '" + request.range + "', allowed: minmax, percentile, mse");
  out.range = *range;
  return out;
}

void count_operators(const pb::GraphProto& graph, const QuantPlan& plan, Outcome& outcome) {
  for (int n = 0; n < graph.node_size(); ++n) {
    ++outcome.operators;
    if (plan.bits[static_cast<std::size_t>(n)] > 0)
      ++outcome.quantised_operators;
    else
      ++outcome.float_operators[graph.node(n).op_type()];
  }
}

// Operators that stay at 8 bits where others have 16.
std::string narrow_note(const pb::GraphProto& graph, const QuantPlan& plan) {
  std::map<std::string, int> narrow;
  for (int n = 0; n < graph.node_size(); ++n) {
    if (most_bits(graph.node(n)) < 16 && plan.bits[static_cast<std::size_t>(n)] == 8)
      ++narrow[graph.node(n).op_type()];
  }
  std::string out;
  for (const auto& [type, count] : narrow)
    out += (out.empty() ? "" : ", ") + std::to_string(count) + " " + type;
  return out.empty() ? out : out + ": in 8 bits, since the NPU does not compute it right in 16";
}

void set_metadata(pb::ModelProto& model, const std::map<std::string, std::string>& entries) {
  for (const auto& [key, value] : entries) {
    auto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
}

std::set<std::string> tensors_of(const pb::GraphProto& graph) {
  std::set<std::string> out;
  for (const auto& tensor : graph.initializer()) out.insert(tensor.name());
  for (const auto& input : graph.input()) out.insert(input.name());
  for (const pb::NodeProto& node : graph.node()) {
    out.insert(node.input().begin(), node.input().end());
    out.insert(node.output().begin(), node.output().end());
  }
  return out;
}

// Clips that a given encoding would make meaningless, or whose input has one of its own.
std::set<std::string> clips_to_keep(const pb::GraphProto& graph,
                                    const std::map<std::string, Encoding>& given) {
  std::set<std::string> out;
  for (const pb::NodeProto& node : graph.node()) {
    if (rule_of(node).kind != OperatorKind::kClip) continue;
    const auto own = given.find(node.output(0));
    const bool reaches_below = own != given.end() && own->second.minimum() < 0;
    if (reaches_below || given.contains(node.input(0))) out.insert(node.output(0));
  }
  return out;
}

class OnnxQuantizer final : public Quantizer {
 public:
  OnnxQuantizer(pb::ModelProto model, std::vector<InputInfo> inputs, std::set<std::string> original)
      : model_(std::move(model)), inputs_(std::move(inputs)), original_(std::move(original)) {}

  const std::vector<InputInfo>& inputs() const override { return inputs_; }
  Result<Outcome> quantize(const Request& request, Samples& samples,
                           const std::function<void(std::size_t)>& progress) override;

 private:
  const pb::ModelProto model_;
  const std::vector<InputInfo> inputs_;
  const std::set<std::string> original_;  // tensors of the file
};

// One call of `quantize`: the steps in order, each on the network that the one before left.
class Work {
 public:
  Work(const pb::ModelProto& model, const Request& request, const std::set<std::string>& original)
      : network_(model), request_(request), original_(original) {
    out_.scheme = request.scheme.empty() ? "w8a8" : request.scheme;
  }

  Result<Outcome> run(Samples& all, const Progress& progress) {
    InterruptibleSamples samples(all, request_.interrupted);
    SLUICE_ASSIGN(scheme_, scheme_of(request_));
    SLUICE_RETURN_IF_ERROR(rework());
    if (!wants_held_out()) {
      SLUICE_ASSIGN(statistics_, collect(network_, samples, progress, detail()));
      SLUICE_RETURN_IF_ERROR(join_ranges());
      SLUICE_RETURN_IF_ERROR(read_given());
      return finish(samples);
    }
    HeldOut others(samples);
    SLUICE_ASSIGN(statistics_, collect(network_, others, progress, detail()));
    SLUICE_RETURN_IF_ERROR(join_ranges());
    out_.held_out = others.size();
    SLUICE_ASSIGN(const Judge judge, Judge::make(network_, others));
    SLUICE_RETURN_IF_ERROR(read_given());
    if (request_.scheme == "mixed") SLUICE_RETURN_IF_ERROR(raise_operators(judge));
    SLUICE_RETURN_IF_ERROR(judge_result(judge));
    return finish(samples);
  }

 private:
  bool wants_held_out() const { return request_.max_mse || request_.min_snr; }
  Detail detail() const {
    return scheme_.range == RangeMethod::kMinMax ? Detail::kExtremes : Detail::kDistribution;
  }
  Target target() const { return {request_.max_mse, request_.min_snr}; }
  Status rework();
  Status join_ranges();
  Status read_given();
  Status adopt_width(const GivenEncodings& given);
  Status name_scheme(const QuantPlan& plan);
  Status raise_operators(const Judge& judge);
  Status judge_result(const Judge& judge);
  Result<Outcome> finish(const InterruptibleSamples& samples);

  pb::ModelProto network_;
  pb::ModelProto whole_;  // before clips were absorbed
  const Request& request_;
  const std::set<std::string>& original_;
  Scheme scheme_;
  Statistics statistics_;
  Outcome out_;
};

// What changes the float network before it is looked at.
Status Work::rework() {
  const bool wide = scheme_.bits == 16 || request_.scheme == "mixed" || !request_.encodings.empty();
  const int gelus = fuse_gelu(*network_.mutable_graph());
  const std::int64_t opset = wide ? kSixteenBitOpset : gelus > 0 ? kGeluOpset : kPerChannelOpset;
  SLUICE_RETURN_IF_ERROR(raise_opset(network_, opset));
  SLUICE_RETURN_IF_ERROR(infer_types(network_));  // of what was inserted on the way
  if (!request_.equalize) return {};
  SLUICE_ASSIGN(const Equalisation done, equalise(*network_.mutable_graph()));
  out_.notes.push_back(
      fmt::format("{} pairs of layers equalised; the widest channel's weights are {:.1f} times the median's "
                  "(before: {:.1f})",
                  done.pairs, std::exp2(done.spread_after), std::exp2(done.spread_before)));
  return {};
}

// Values from the field count like those of the samples. A tensor that was only moved is encoded like the one
// it was moved from, so they count there.
Status Work::join_ranges() {
  const GraphIndex index(network_.graph());
  const Groups groups(network_.graph(), index);
  std::string unknown;
  for (const auto& [name, values] : request_.ranges) {
    const auto found = statistics_.tensors.find(groups.root(name));
    if (found == statistics_.tensors.end())
      unknown += (unknown.empty() ? "'" : ", '") + name + "'";
    else
      found->second.merge(values);
  }
  if (!unknown.empty())
    return invalid("the ranges are of another model: this one has no float tensor " + unknown);
  if (!request_.ranges.empty())
    out_.notes.push_back(
        fmt::format("values of {} tensors from the field were added", request_.ranges.size()));
  return {};
}

Status on_each_line(const std::string& place, const Status& status) {
  std::string message = place;
  for (const char c : status.message()) message += c == '\n' ? "\n" + place : std::string(1, c);
  return {status.code(), message};
}

Status Work::read_given() {
  GivenEncodings given;
  if (!request_.encodings.empty()) {
    auto read = read_encodings(request_.encodings, network_.graph(), original_);
    if (!read.ok()) return on_each_line(request_.encodings_path + ": ", read.status());
    given = std::move(*read);
    SLUICE_RETURN_IF_ERROR(adopt_width(given));
    out_.notes.insert(out_.notes.end(), given.notes.begin(), given.notes.end());
  }
  whole_ = network_;
  absorb_clips(*network_.mutable_graph(), clips_to_keep(network_.graph(), given.activations));
  scheme_.activations = std::move(given.activations);
  scheme_.parameters = std::move(given.parameters);
  return {};
}

// The file's width is that of every activation which it does not list. It was written for this model, so an
// explicit --scheme that says otherwise is a mistake in one of the two.
Status Work::adopt_width(const GivenEncodings& given) {
  if (!given.activation_bits || *given.activation_bits == scheme_.bits) return {};
  const std::string said =
      fmt::format("{}: activation_bitwidth is {}", request_.encodings_path, *given.activation_bits);
  if (!request_.scheme.empty())
    return invalid(fmt::format("{}, but --scheme is '{}', whose activations {} {}; leave one of them out",
                               said, request_.scheme, request_.scheme == "mixed" ? "start with" : "have",
                               scheme_.bits));
  scheme_.bits = *given.activation_bits;
  out_.scheme = scheme_.bits == 16 ? "w8a16" : "w8a8";
  out_.notes.push_back(said + ": so have all activations without an entry");
  return {};
}

// Entries of another width than the scheme's make another scheme of it, also where the file says no width. At
// 16 bits some operators stay at 8.
Status Work::name_scheme(const QuantPlan& plan) {
  if (scheme_.activations.empty() || request_.scheme == "mixed") return {};
  const auto wide =
      std::ranges::count_if(plan.activations, [](const auto& a) { return a.second.bits == 16; });
  if ((wide > 0) == (scheme_.bits == 16)) return {};
  const bool all = wide == 0 || wide == std::ssize(plan.activations);
  out_.scheme = !all ? "mixed" : wide == 0 ? "w8a8" : "w8a16";
  if (request_.scheme.empty() || !all) return {};
  return invalid(fmt::format("{} gives every activation {} bits, but --scheme is '{}'; leave one of them out",
                             request_.encodings_path, wide == 0 ? 8 : 16, request_.scheme));
}

Status Work::raise_operators(const Judge& judge) {
  SLUICE_ASSIGN(MixedChoice choice, choose_mixed(network_, whole_, statistics_, scheme_, judge, target()));
  out_.notes.push_back(
      fmt::format("{} of {} operators raised to 16 bits: worst output {:.2f} dB, MSE {:.4g} (8 bits: "
                  "{:.2f} dB, MSE {:.4g})",
                  choice.raised.size(), choice.candidates, choice.after.snr_db, choice.after.mse,
                  choice.before.snr_db, choice.before.mse));
  for (const RaisedOperator& raised : choice.raised) {
    out_.notes.push_back(fmt::format("  {} ({}): in 8 bits it alone costs {:.3g} of the outputs' energy",
                                     raised.name, raised.type, raised.harm));
  }
  scheme_.operator_bits = std::move(choice.operator_bits);
  return {};
}

Status Work::judge_result(const Judge& judge) {
  SLUICE_ASSIGN(const QuantPlan plan, make_plan(network_.graph(), statistics_, scheme_));
  pb::ModelProto model = network_;
  SLUICE_RETURN_IF_ERROR(insert_encodings(*model.mutable_graph(), plan, EdgeType::kFloat));
  SLUICE_ASSIGN(const Quality quality, judge.quality(model));
  out_.snr_db = quality.snr_db;
  out_.mse = quality.mse;
  out_.target_met = target().met_by(quality);
  return {};
}

Result<Outcome> Work::finish(const InterruptibleSamples& samples) {
  SLUICE_ASSIGN(const QuantPlan plan, make_plan(network_.graph(), statistics_, scheme_));
  out_.samples = statistics_.samples;
  count_operators(network_.graph(), plan, out_);
  SLUICE_RETURN_IF_ERROR(name_scheme(plan));
  const bool wide = scheme_.bits == 16 || (request_.scheme == "mixed" && !out_.target_met);
  if (std::string note = wide ? narrow_note(network_.graph(), plan) : ""; !note.empty())
    out_.notes.push_back(std::move(note));
  out_.encodings = write_encodings(network_.graph(), plan, scheme_.bits);
  SLUICE_RETURN_IF_ERROR(insert_encodings(
      *network_.mutable_graph(), plan, request_.quantised_edges ? EdgeType::kQuantised : EdgeType::kFloat));
  network_.set_producer_name("sluice");
  set_metadata(network_, request_.metadata);
  set_metadata(network_,
               {{"sluice.scheme", out_.scheme + (scheme_.per_channel ? " per channel" : " per tensor")}});
  out_.model = network_.SerializeAsString();
  SLUICE_RETURN_IF_ERROR(samples.go_on());
  return std::move(out_);
}

Result<Outcome> OnnxQuantizer::quantize(const Request& request, Samples& samples,
                                        const std::function<void(std::size_t)>& progress) {
  if (request.scheme == "mixed" && !request.max_mse && !request.min_snr)
    return invalid("scheme mixed needs --max-mse or --min-snr: what it raises operators for");
  return Work(model_, request, original_).run(samples, progress);
}

}  // namespace

Result<std::unique_ptr<Quantizer>> open_quantizer(const std::string& path,
                                                  const std::vector<InputShape>& shapes) {
  SLUICE_ASSIGN(pb::ModelProto model, load_model(path));
  std::set<std::string> original = tensors_of(model.graph());
  const auto place = [&path](const Status& status) { return status.with_context("'" + path + "': "); };
  if (const Status status = check_is_float(model); !status.ok()) return place(status);
  if (const Status status = prepare(model, shapes); !status.ok()) return place(status);
  SLUICE_ASSIGN(std::vector<InputInfo> infos, inputs_of(model.graph()));
  return std::unique_ptr<Quantizer>(
      std::make_unique<OnnxQuantizer>(std::move(model), std::move(infos), std::move(original)));
}

}  // namespace sluice::quantize
