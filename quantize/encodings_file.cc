#include "quantize/encodings_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "framework/core/suggest.h"
#include "inference/foreign_json.h"
#include "quantize/encoding_entry.h"
#include "quantize/equalize.h"
#include "quantize/graph_index.h"
#include "quantize/operators.h"

namespace sluice::quantize {
namespace {

using Json = nlohmann::ordered_json;

// Where the channels of a weight lie, from the layer that reads it; -1: it has none.
int axis_of(const pb::GraphProto& graph, const GraphIndex& index, const std::string& parameter) {
  for (const Use& use : index.uses(parameter)) {
    const OperatorKind kind = rule_of(graph.node(use.node)).kind;
    if (use.input == 1 && (kind == OperatorKind::kConv || kind == OperatorKind::kGemm))
      return channel_axis(graph.node(use.node));
  }
  return -1;
}

bool is_bias(const pb::GraphProto& graph, const GraphIndex& index, const std::string& parameter) {
  return std::any_of(index.uses(parameter).begin(), index.uses(parameter).end(), [&](const Use& use) {
    const OperatorKind kind = rule_of(graph.node(use.node)).kind;
    return use.input == 2 &&
           (kind == OperatorKind::kConv || kind == OperatorKind::kGemm || kind == OperatorKind::kNormalise);
  });
}

class EncodingsReader {
 public:
  EncodingsReader(const pb::GraphProto& graph, const std::set<std::string>& original)
      : graph_(graph), index_(graph), original_(original) {
    for (const pb::NodeProto& node : graph.node())
      activations_.insert(node.output().begin(), node.output().end());
    for (const auto& input : graph.input()) activations_.insert(input.name());
    for (const auto& tensor : graph.initializer()) parameters_.insert(tensor.name());
  }

  Result<GivenEncodings> read(const Json& json) {
    SLUICE_RETURN_IF_ERROR(check_form(json));
    out_.activation_bits = default_bits(json, "activation_bitwidth", {8, 16});
    parameter_bits_ = default_bits(json, "param_bitwidth", {8, 16}).value_or(8);
    default_bits(json, "bias_bitwidth", {32});
    each(json, "activation_encodings",
         [this](const std::string& name, const Json& entry) { activation(name, entry); });
    each(json, "param_encodings",
         [this](const std::string& name, const Json& entry) { parameter(name, entry); });
    if (parameter_bits_ != 8) check_other_weights();
    check_equalisation();
    if (!problems_.empty()) {
      std::string all;
      for (const std::string& problem : problems_) all += (all.empty() ? "" : "\n") + problem;
      return invalid(all);
    }
    if (positive_ > 0)
      out_.notes.push_back(fmt::format(
          "{} encodings have positive offsets: taken for zero points (an offset is their negative)",
          positive_));
    if (misplaced_ > 0)
      out_.notes.push_back(fmt::format(
          "{} encodings stand under activations but are of constants, or the other way round: taken as what "
          "the tensors are",
          misplaced_));
    if (folded_ > 0)
      out_.notes.push_back(
          fmt::format("{} encodings are of tensors that preparing the model folded away", folded_));
    if (biases_ > 0)
      out_.notes.push_back(
          fmt::format("{} encodings of biases follow from input and weights and are left out", biases_));
    return std::move(out_);
  }

 private:
  // A form that is not known would be read as no encodings at all.
  static Status check_form(const Json& json) {
    const auto version = json.find("version");
    const std::string text = version == json.end()  ? "1.0.0"
                             : version->is_string() ? version->get<std::string>()
                                                    : version->dump();
    if (!text.starts_with("0.") && !text.starts_with("1."))
      return invalid("has version " + in_quotes(text) + ", known: 0.6.1, 1.0.0");
    constexpr std::array kKeys = {"activation_encodings", "param_encodings", "activation_bitwidth",
                                  "param_bitwidth", "bias_bitwidth"};
    if (std::none_of(kKeys.begin(), kKeys.end(), [&](const char* key) { return json.contains(key); }))
      return invalid("has neither activation_encodings nor param_encodings");
    return {};
  }
  // None when the file does not say, or says something else than what is allowed (a problem).
  std::optional<int> default_bits(const Json& json, const char* key, const std::vector<int>& allowed) {
    const auto found = json.find(key);
    if (found == json.end()) return std::nullopt;
    if (found->is_number_integer() &&
        std::find(allowed.begin(), allowed.end(), found->get<std::int64_t>()) != allowed.end())
      return found->get<int>();
    problems_.push_back(fmt::format("{} is {}, allowed: {}", key, found->dump(), fmt::join(allowed, ", ")));
    return std::nullopt;
  }
  template <typename Visit>
  void each(const Json& json, const char* section, Visit visit) {
    const auto found = json.find(section);
    if (found == json.end()) return;
    if (found->is_object()) {
      for (const auto& [name, entry] : found->items()) visit(name, entry);
    } else if (found->is_array()) {
      for (const Json& entry : *found) {
        const auto name = entry.is_object() ? entry.find("name") : entry.end();
        if (entry.is_object() && name != entry.end() && name->is_string())
          visit(name->get<std::string>(), entry);
        else
          problems_.push_back(std::string(section) + ": an entry has no name");
      }
    } else {
      problems_.push_back(std::string(section) + " is neither an object nor a list");
    }
  }

  bool known(const std::string& name, const std::set<std::string>& names, const char* section) {
    if (names.contains(name)) {
      if (seen_.insert(name).second) return true;
      problems_.push_back(std::string(section) + ": " + in_quotes(name) + " is there twice");
      return false;
    }
    if (names.contains(equalised_name(name))) {
      unequalised_.push_back(name);
      return false;
    }
    if (is_equalised_name(name)) {
      equalised_.push_back(name);
      return false;
    }
    if (original_.contains(name)) {
      ++folded_;
      return false;
    }
    const std::vector<std::string> all(names.begin(), names.end());
    problems_.push_back(std::string(section) + ": the model has no tensor " + in_quotes(name) +
                        did_you_mean(name, all));
    return false;
  }

  // Such entries come by the dozen, and are one mistake.
  void check_equalisation() {
    const auto say = [this](const std::vector<std::string>& names, std::string_view what) {
      if (!names.empty())
        problems_.push_back(
            fmt::format("{} entries, the first of {}, are of {}", names.size(), in_quotes(names[0]), what));
    };
    say(unequalised_,
        "tensors that hold other numbers after --equalize; leave it out, or take encodings that were written "
        "with it");
    say(equalised_, "tensors as they are after --equalize; write --equalize too");
  }

  // What is measured has 8 bits, whatever the file wants for weights that it does not list.
  void check_other_weights() {
    std::set<std::string> names;
    for (const pb::NodeProto& node : graph_.node()) {
      const OperatorKind kind = rule_of(node).kind;
      const bool layer =
          kind == OperatorKind::kConv || kind == OperatorKind::kGemm || kind == OperatorKind::kMatMul;
      if (layer && node.input_size() > 1 && index_.initializer(node.input(1)) &&
          !seen_.contains(node.input(1)))
        names.insert(node.input(1));
    }
    if (!names.empty())
      problems_.push_back(fmt::format(
          "param_bitwidth is {}, but {} weights have no entry ({}{}), and weights that are measured have 8 "
          "bits; give them entries, or write 8",
          parameter_bits_, names.size(), in_quotes(*names.begin()), names.size() > 1 ? ", ..." : ""));
  }

  // AIMET lists constants among the activations too: an entry is taken as what its tensor is.
  bool misplaced(const std::string& name, const std::set<std::string>& others) {
    misplaced_ += others.contains(name);
    return others.contains(name);
  }

  void activation(const std::string& name, const Json& json) {
    if (misplaced(name, parameters_)) return take_parameter(name, json);
    take_activation(name, json);
  }

  void parameter(const std::string& name, const Json& json) {
    if (misplaced(name, activations_)) return take_activation(name, json);
    take_parameter(name, json);
  }

  void take_activation(const std::string& name, const Json& json) {
    if (!known(name, activations_, "activation_encodings")) return;
    auto entry = parse_entry(json, out_.activation_bits.value_or(8));
    if (entry.ok() && entry->scale.size() != 1)
      entry = invalid("has one encoding per channel; activations have one");
    const auto encoding = entry.ok() ? unsigned_encoding(*entry) : Result<Encoding>(entry.status());
    if (!encoding.ok()) {
      problems_.push_back("activation_encodings: " + in_quotes(name) + " " + encoding.status().message());
      return;
    }
    positive_ += entry->positive_offset;
    out_.activations[name] = *encoding;
  }

  void take_parameter(const std::string& name, const Json& json) {
    if (!known(name, parameters_, "param_encodings")) return;
    const bool bias = is_bias(graph_, index_, name);
    if (bias) {
      ++biases_;
      return;
    }
    const auto entry = parse_entry(json, parameter_bits_);
    auto encoding = entry.ok() ? weight_encoding(*entry) : Result<Encoding>(entry.status());
    if (encoding.ok() && encoding->scale.size() > 1) {
      encoding->axis = axis_of(graph_, index_, name);
      const pb::TensorProto& tensor = *index_.initializer(name);
      const std::int64_t channels = encoding->axis < 0 ? 1 : tensor.dims(encoding->axis);
      if (channels != static_cast<std::int64_t>(encoding->scale.size()))
        encoding = invalid(fmt::format("has {} encodings for {} channels", encoding->scale.size(), channels));
    }
    if (!encoding.ok()) {
      problems_.push_back("param_encodings: " + in_quotes(name) + " " + encoding.status().message());
      return;
    }
    positive_ += entry->positive_offset;
    out_.parameters[name] = *encoding;
  }

  const pb::GraphProto& graph_;
  const GraphIndex index_;
  const std::set<std::string>& original_;
  std::set<std::string> activations_, parameters_, seen_;
  int parameter_bits_ = 8;
  GivenEncodings out_;
  std::vector<std::string> problems_, equalised_,
      unequalised_;  // the latter: names, wrong without and with it
  int positive_ = 0, folded_ = 0, biases_ = 0, misplaced_ = 0;
};

// The library keeps the last of two entries with one name, and says nothing. Throws what it throws.
Result<Json> parse(std::string_view text) {
  std::vector<std::set<std::string>> open;  // keys of the objects around
  std::string twice;
  const auto watch = [&](int, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::object_start) open.emplace_back();
    if (event == Json::parse_event_t::object_end) open.pop_back();
    if (event != Json::parse_event_t::key || open.back().insert(value.get<std::string>()).second) return true;
    twice += (twice.empty() ? "" : "\n") + in_quotes(value.get<std::string>()) + " is there twice";
    return true;
  };
  if (nests_too_deep(text)) return invalid("it nests too deep");
  Json json = Json::parse(text, watch, true, /*ignore_comments=*/true);
  if (!twice.empty()) return invalid(twice);
  return json;
}

// Without the library's own number of the error, which means nothing to a user.
std::string problem_of(const Json::exception& error) {
  const std::string_view text = error.what();
  return std::string(text.substr(std::min(text.size(), text.find("] ") + 2)));
}

Json json_of(const std::string& name, const Encoding& encoding) {
  Json scales = Json::array(), offsets = Json::array();
  for (std::size_t c = 0; c < encoding.scale.size(); ++c) {
    scales.push_back(encoding.scale[c]);
    // In these files integers are always unsigned.
    const std::int32_t middle = encoding.is_signed ? 1 << (encoding.bits - 1) : 0;
    offsets.push_back(-(encoding.zero_point[c] + middle));
  }
  return {{"name", name},
          {"dtype", "INT"},
          {"bw", encoding.bits},
          {"is_sym", encoding.is_signed},
          {"enc_type", encoding.axis >= 0 ? "PER_CHANNEL" : "PER_TENSOR"},
          {"scale", scales},
          {"offset", offsets}};
}

}  // namespace

Result<GivenEncodings> read_encodings(std::string_view text, const pb::GraphProto& graph,
                                      const std::set<std::string>& original) {
  try {
    SLUICE_ASSIGN(const Json json, parse(text));
    if (!json.is_object()) return invalid("is no JSON object");
    return EncodingsReader(graph, original).read(json);
  } catch (const Json::exception& error) {
    return invalid("cannot be read: " + problem_of(error));
  }
}

std::string write_encodings(const pb::GraphProto& graph, const QuantPlan& plan, int activation_bits) {
  Json activations = Json::array(), parameters = Json::array();
  for (const auto& [name, encoding] : plan.activations) activations.push_back(json_of(name, encoding));
  std::set<std::string> written;
  for (const ConstantEncoding& constant : plan.constants) {
    const std::string& name = graph.node(constant.node).input(constant.input);
    if (constant.encoding.bits < 32 && written.insert(name).second)
      parameters.push_back(json_of(name, constant.encoding));
  }
  return Json{{"version", "1.0.0"},
              {"activation_bitwidth", activation_bits},
              {"activation_encodings", activations},
              {"param_encodings", parameters}}
             .dump(2) +
         "\n";
}

}  // namespace sluice::quantize
