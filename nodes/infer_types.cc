// The declaration of `infer`: ports and options, the types of its outputs, the thread that runs it.
#include <algorithm>

#include "framework/core/suggest.h"
#include "framework/node/sections.h"
#include "inference/backend_options.h"
#include "nodes/infer_node.h"

namespace sluice {
namespace {

std::vector<std::string> names_of(const std::vector<TensorType>& types) {
  std::vector<std::string> out;
  for (const TensorType& type : types) out.push_back(type.name);
  return out;
}

Status check_shape(const TensorType& wanted, const PortType& given) {
  if (!given.tensor || given.tensor->shape == wanted.shape) return {};
  return invalid("input '" + wanted.name + "' takes " + wanted.text() + ", it gets " + given.tensor->text());
}

Status check_batch(const Options& options, const ModelSignature& signature) {
  const OptionMap& batch = options.map("batch");
  const auto it = batch.find("max");
  const auto* most = it == batch.end() ? nullptr : std::get_if<std::int64_t>(&it->second.data);
  if (!most || *most <= 1 || signature.symbolic_batch) return {};
  return unavailable(
      "batch.max is " + std::to_string(*most) + ", but model '" + signature.name +
      "' has no free first dimension in all inputs and outputs; export it with a symbolic batch, take its "
      "name out of 'dims', or write batch: {max: 1}");
}

Result<std::vector<PortType>> infer_types(const TypeContext& context) {
  SLUICE_ASSIGN(const ModelSignature signature, context.model("model"));
  const std::vector<PortType> given = context.inputs(0);
  SLUICE_ASSIGN(const std::vector<std::size_t> edges, match_inputs(signature.inputs, context.input_names(0)));
  for (std::size_t i = 0; i < edges.size(); ++i)
    SLUICE_RETURN_IF_ERROR(check_shape(signature.inputs[i], given[edges[i]]));
  SLUICE_RETURN_IF_ERROR(check_batch(context.options(), signature));
  std::vector<PortType> outputs;
  for (const TensorType& type : signature.outputs) {
    PortType port;
    port.kind = PortKind::kTensor;
    port.payload = payload_of(PortKind::kTensor);
    port.name = type.name;
    port.tensor = std::make_shared<const TensorType>(type);
    outputs.push_back(std::move(port));
  }
  return outputs;
}

// A backend that waits must not hold a worker, and a batch waits for others. Any entry may come into use
// later.
ThreadKind choose_thread(const Options& options) {
  const OptionMap& batch = options.map("batch");
  const auto it = batch.find("max");
  const auto* most = it == batch.end() ? nullptr : std::get_if<std::int64_t>(&it->second.data);
  const auto backends = options.texts("backends");
  const bool waits =
      std::ranges::any_of(backends, [](const std::string& name) { return backend_waits(name); });
  return waits || (most && *most > 1) ? ThreadKind::kLane : ThreadKind::kWorker;
}

OptionDeclaration child(std::string name, OptionKind kind, OptionValue fallback, double least, double most) {
  OptionDeclaration option;
  option.name = std::move(name);
  option.kind = kind;
  option.fallback = std::move(fallback);
  return option.range(least, most);
}

void declare_options(NodeDeclaration& d) {
  d.option("model", OptionKind::kModel).must().help("The entry of `models` to run.");
  auto& backends = d.option("backends", OptionKind::kTexts).any_of(backend_names());
  backends.fallback = {OptionList{OptionValue{std::string("cpu")}}};
  backends.help("What may be used, in order of preference.");
  d.option("on_fallback", "warn")
      .any_of({"error", "warn", "allow"})
      .help("What to do when an entry is unavailable or cannot take every operator.");
  auto& concurrency = d.option("concurrency", OptionKind::kInteger).range(1, 256).any_of({"auto"});
  concurrency.fallback = {std::string("auto")};
  concurrency.help("Frames at once in this node.");
  d.option("batch", OptionKind::kMap)
      .help("Gathers runs of all nodes that share the session.")
      .child(child("max", OptionKind::kInteger, {std::int64_t{1}}, 1, 64).help("Most runs in one batch."))
      .child(child("wait_ms", OptionKind::kNumber, {0.0}, 0, 1000)
                 .in_unit("ms")
                 .help("How long a short batch waits."));
  d.option("priority", 0)
      .range(-10, 10)
      .help("Among runs that wait for the same accelerator; higher goes first.");
  d.option("finish_within_ms", 0.0)
      .in_unit("ms")
      .range(0, 3'600'000)
      .help("From arrival at the node; orders runs of equal priority, never drops. 0: none.");
  d.option("rate_hz", OptionKind::kNumber)
      .in_unit("Hz")
      .range(0.001, 10'000)
      .help("Most frames per second of media time; the others are filtered.");
  for (const OptionDeclaration& key : selector_section()) d.options.push_back(key);
  for (const OptionDeclaration& backend : backends_section()) d.options.push_back(backend);
}

}  // namespace

Result<std::vector<std::size_t>> match_inputs(const std::vector<TensorType>& inputs,
                                              const std::vector<std::string>& names) {
  if (names.size() != inputs.size())
    return invalid("the model takes " + std::to_string(inputs.size()) + " input(s) (" +
                   comma_list(names_of(inputs)) + "), " + std::to_string(names.size()) + " are connected");
  constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::vector<std::size_t> edges(inputs.size(), kNone);
  for (std::size_t edge = 0; edge < names.size(); ++edge) {
    std::size_t index = edge;
    if (inputs.size() > 1 && !names[edge].empty()) {
      const auto it = std::ranges::find(inputs, names[edge], &TensorType::name);
      if (it == inputs.end())
        return invalid("the model has no input " + in_quotes(names[edge]) +
                       allowed(names[edge], names_of(inputs)));
      index = static_cast<std::size_t>(it - inputs.begin());
    }
    if (edges[index] != kNone)
      return invalid("input '" + inputs[index].name + "' of the model is connected twice");
    edges[index] = edge;
  }
  return edges;
}

void describe_infer(NodeDeclaration& d) {
  d.about("Runs a model on the first usable of its backends.");
  d.input("inputs", PortKind::kTensor).any_number().help("One tensor per input of the model, by its name.");
  d.output("outputs", PortKind::kTensor)
      .any_number()
      .help("One tensor per output of the model, by its name.");
  declare_options(d);
  d.serial = false;
  d.filters = true;
  d.infers = true;
  d.infer_types = infer_types;
  d.choose_thread = choose_thread;
}

}  // namespace sluice
