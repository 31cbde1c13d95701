#include "backends/gpu/ep/provider.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <limits>
#include <locale>

#include "backends/gpu/device/counters.h"
#include "backends/gpu/ep/capture.h"
#include "backends/gpu/ep/partition.h"
#include "backends/gpu/ep/plugin.h"
#include "backends/gpu/ir/simplify.h"
#include "backends/gpu/ops/operators.h"
#include "backends/gpu/plan/tuning.h"

namespace sluice::gpu {
namespace {

// No exception crosses into ONNX Runtime's C interface.
template <typename Body>
OrtStatus* guarded(Body body) noexcept {
  try {
    return body();
  } catch (const Ort::Exception& error) {
    return Ort::GetApi().CreateStatus(ORT_EP_FAIL, error.what());
  } catch (const std::exception& error) {
    return Ort::GetApi().CreateStatus(ORT_EP_FAIL, error.what());
  }
}

Status lower(const Graph& graph, Builder& builder) {
  for (const ValueId id : graph.inputs) SLUICE_RETURN_IF_ERROR(builder.add_input(id));
  for (const Node& node : graph.nodes) {
    const Operator* op = find_operator(node.op);
    if (!op || !op->lower)
      return failed("operator '" + node.op + "' of node '" + node.name + "' has no kernels");
    builder.begin(node);
    SLUICE_RETURN_IF_ERROR(op->lower(builder, node));
  }
  for (const ValueId id : graph.outputs) SLUICE_RETURN_IF_ERROR(builder.add_output(id));
  return {};
}

Result<Hint> read_hint(const char* option, const std::string& text) {
  constexpr std::array<std::string_view, 4> kWords = {"none", "low", "normal", "high"};
  const auto found = std::ranges::find(kWords, text);
  if (found == kWords.end())
    return invalid(std::string("option '") + option + "' is '" + text +
                   "', allowed: none, low, normal, high");
  return static_cast<Hint>(found - kWords.begin());
}

// What ONNX Runtime holds per fused node.
struct ComputeInfo : OrtNodeComputeInfo {
  explicit ComputeInfo(Provider& owner);
  Provider& provider;
};

constexpr std::size_t kMostEdges = 64;  // inputs or outputs of a cluster that run without allocating

template <typename T>
struct EdgeList {
  std::array<T, kMostEdges> few{};
  std::vector<T> many;
  std::span<T> take(std::size_t count) {
    if (count <= kMostEdges) return {few.data(), count};
    many.resize(count);
    return many;
  }
};

OrtStatus* compute(const Executable& facts, Executable& executable, OrtKernelContext* context) {
  const OrtApi& api = Ort::GetApi();
  const Recipe& recipe = facts.recipe();
  EdgeList<const void*> input_list;
  EdgeList<void*> output_list;
  const auto inputs = input_list.take(recipe.inputs.size());
  const auto outputs = output_list.take(recipe.outputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const OrtValue* value = nullptr;
    if (OrtStatus* error = api.KernelContext_GetInput(context, i, &value)) return error;
    if (OrtStatus* error = api.GetTensorData(value, &inputs[i])) return error;
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    OrtValue* value = nullptr;
    const Dims& dims = recipe.outputs[i].dims;
    if (OrtStatus* error = api.KernelContext_GetOutput(context, i, dims.data(), dims.size(), &value))
      return error;
    if (OrtStatus* error = api.GetTensorMutableData(value, &outputs[i])) return error;
  }
  return to_ort(executable.run(inputs, outputs));
}

ComputeInfo::ComputeInfo(Provider& owner) : OrtNodeComputeInfo{}, provider(owner) {
  ort_version_supported = ORT_API_VERSION;
  CreateState = [](OrtNodeComputeInfo* self, OrtNodeComputeContext* context,
                   void** state) noexcept -> OrtStatus* {
    return guarded([&]() -> OrtStatus* {
      const std::string name = Ort::GetEpApi().NodeComputeContext_NodeName(context);
      *state = static_cast<ComputeInfo*>(self)->provider.executable(name);
      return *state ? nullptr : to_ort(failed("nothing was compiled for node '" + name + "'"));
    });
  };
  Compute = [](OrtNodeComputeInfo*, void* state, OrtKernelContext* context) noexcept -> OrtStatus* {
    return guarded([&] {
      auto* executable = static_cast<Executable*>(state);
      return compute(*executable, *executable, context);
    });
  };
  ReleaseState = [](OrtNodeComputeInfo*, void*) noexcept {};
}

}  // namespace

OrtStatus* to_ort(const Status& status) {
  return status.ok() ? nullptr : Ort::GetApi().CreateStatus(ORT_EP_FAIL, status.message().c_str());
}

Result<ProviderOptions> ProviderOptions::read(const OrtSessionOptions* session) {
  const Ort::ConstSessionOptions entries(session);
  const auto text = [&](const char* key, const char* fallback) {
    return entries.GetConfigEntryOrDefault((std::string(kOptionPrefix) + key).c_str(), fallback);
  };
  ProviderOptions options;
  options.precision = text(kPrecision, "auto");
  options.kernels = text(kKernels, "auto");
  options.profile = text(kProfile, "0") == "1";
  options.profile_path = text(kProfilePath, "");
  options.tune = text(kTune, "0") == "1";
  SLUICE_ASSIGN(options.hints.performance, read_hint(kPerformance, text(kPerformance, "none")));
  SLUICE_ASSIGN(options.hints.priority, read_hint(kPriority, text(kPriority, "none")));
  if (options.precision != "auto" && options.precision != "fp32" && options.precision != "fp16")
    return invalid("option 'precision' is '" + options.precision + "', allowed: auto, fp16, fp32");
  if (options.kernels != "auto" && options.kernels != "float4" && options.kernels != "wide")
    return invalid("option 'kernels' is '" + options.kernels + "', allowed: auto, float4, wide");
  return options;
}

Provider::Provider(std::shared_ptr<Context> context, ProviderOptions options, const OrtLogger* logger)
    : OrtEp{}, context_(std::move(context)), options_(std::move(options)), logger_(logger) {
  ort_version_supported = ORT_API_VERSION;
  GetName = [](const OrtEp*) noexcept -> const char* { return kProviderName; };
  GetCapability = [](OrtEp* self, const OrtGraph* graph, OrtEpGraphSupportInfo* info) noexcept {
    return guarded([&] { return static_cast<Provider*>(self)->get_capability(graph, info); });
  };
  Compile = [](OrtEp* self, const OrtGraph** graphs, const OrtNode** fused, std::size_t count,
               OrtNodeComputeInfo** infos, OrtNode**) noexcept {
    return guarded([&] { return static_cast<Provider*>(self)->compile(graphs, fused, count, infos); });
  };
  ReleaseNodeComputeInfos = [](OrtEp*, OrtNodeComputeInfo** infos, std::size_t count) noexcept {
    for (std::size_t i = 0; i < count; ++i) delete static_cast<ComputeInfo*>(infos[i]);
  };
}

Provider::~Provider() {
  context_->keep_programs();
  if (!options_.profile) return;
  const Ort::Status ignored(guarded([this]() -> OrtStatus* {
    tell_times();
    return nullptr;
  }));
}

// A file that cannot be written is missed by the one who reads it.
void Provider::tell_times() const {
  if (!options_.profile_path.empty()) {
    std::ofstream file(options_.profile_path);
    file.imbue(std::locale::classic());
    for (const auto& [name, executable] : executables_)
      for (const NodeTime& time : executable->node_times()) file << time.us << ',' << time.node << '\n';
    return;
  }
  for (const auto& [name, executable] : executables_)
    for (const KernelTime& time : executable->profile())
      log(ORT_LOGGING_LEVEL_WARNING, name + ": " + time.kernel + " x" + std::to_string(time.launches) + " " +
                                         std::to_string(time.us) + " us");
}

Executable* Provider::executable(const std::string& fused_node) const {
  const auto found = executables_.find(fused_node);
  return found == executables_.end() ? nullptr : found->second.get();
}

void Provider::log(OrtLoggingLevel level, const std::string& text) const {
  Ort::Status ignored(
      Ort::GetApi().Logger_LogMessage(logger_, level, text.c_str(), ORT_FILE, __LINE__, "gpu"));
}

int Provider::lanes() const {
  if (options_.kernels == "float4") return 4;
  return options_.kernels == "wide" || context_->device().is_cpu() ? 16 : 4;
}

bool Provider::half() const {
  if (options_.precision != "auto") return options_.precision == "fp16";
  return !context_->device().is_cpu() && context_->device().has_extension("cl_khr_fp16");
}

OrtStatus* Provider::get_capability(const OrtGraph* source, OrtEpGraphSupportInfo* info) const {
  const Ort::ConstGraph graph(source);
  const Partition parts = partition(capture(graph));
  const auto nodes = graph.GetNodes();
  for (const std::string& refusal : parts.refusals) log(ORT_LOGGING_LEVEL_WARNING, "gpu: " + refusal);
  for (const auto& cluster : parts.clusters) {
    std::vector<const OrtNode*> members;
    members.reserve(cluster.size());
    for (const std::size_t i : cluster) members.push_back(nodes[i]);
    OrtNodeFusionOptions fusion{};
    fusion.ort_version_supported = ORT_API_VERSION;
    fusion.drop_constant_initializers = true;
    if (OrtStatus* error =
            Ort::GetEpApi().EpGraphSupportInfo_AddNodesToFuse(info, members.data(), members.size(), &fusion))
      return error;
  }
  return nullptr;
}

Result<Recipe> Provider::recipe_for(const Graph& graph, int lanes) const {
  Builder builder(graph, half(), lanes, context_->device().widest_tile());
  SLUICE_RETURN_IF_ERROR(lower(graph, builder));
  return std::move(builder).take();
}

// With the kernels and local sizes that were measured for this graph on this device, if they were.
Result<std::unique_ptr<Executable>> Provider::make(const Graph& graph) const {
  SLUICE_ASSIGN(Recipe recipe, recipe_for(graph, lanes()));
  if (options_.kernels == "auto") {
    const auto kept = context_->tuning(signature_of(recipe));
    const auto tuning = kept ? read_tuning(*kept) : std::nullopt;
    if (tuning && tuning->lanes != recipe.lanes) {
      SLUICE_ASSIGN(recipe, recipe_for(graph, tuning->lanes));
    }
    if (tuning && apply(*tuning, recipe)) ++counters().tuned;
  }
  return Executable::create(context_, std::move(recipe), options_.profile);
}

Result<std::unique_ptr<Executable>> Provider::make_tuned(const Graph& graph) const {
  const std::vector<int> sets = options_.kernels == "auto" ? std::vector{4, 16} : std::vector{lanes()};
  Tuning best;
  double least = std::numeric_limits<double>::infinity();
  for (const int lanes : sets) {
    SLUICE_ASSIGN(Recipe recipe, recipe_for(graph, lanes));
    SLUICE_ASSIGN(auto candidate, Executable::create(context_, std::move(recipe), true));
    double us = 0;
    SLUICE_ASSIGN(auto groups, candidate->tune(us));
    if (us < least) best = {lanes, std::move(groups)};
    least = std::min(least, us);
  }
  SLUICE_ASSIGN(const Recipe usual, recipe_for(graph, lanes()));
  context_->keep_tuning(signature_of(usual), text_of(best));
  context_->programs_changed();
  return make(graph);
}

Status Provider::compile_one(const OrtGraph* source, const OrtNode* fused) {
  const Ort::ConstNode node(fused);
  Graph graph = capture(Ort::ConstGraph(source), node);
  simplify(graph);
  SLUICE_ASSIGN(auto executable, options_.tune ? make_tuned(graph) : make(graph));
  const ExecutableFacts& facts = executable->facts();
  Counters& c = counters();
  c.kernels = static_cast<std::uint64_t>(facts.kernels);
  c.bytes_in = facts.bytes_in;
  c.bytes_out = facts.bytes_out;
  c.arena = facts.arena;
  c.unshared = facts.unshared;
  c.constants = facts.constants;
  executables_[node.GetName()] = std::move(executable);
  return {};
}

OrtStatus* Provider::compile(const OrtGraph** graphs, const OrtNode** fused, std::size_t count,
                             OrtNodeComputeInfo** infos) {
  for (std::size_t i = 0; i < count; ++i) {
    if (const Status status = compile_one(graphs[i], fused[i]); !status.ok()) return to_ort(status);
    infos[i] = new ComputeInfo(*this);
  }
  return nullptr;
}

}  // namespace sluice::gpu
