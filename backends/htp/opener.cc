#include "backends/htp/opener.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <set>

#include "backends/cache/unkept.h"
#include "backends/htp/compiled_model.h"
#include "backends/htp/context_entry.h"
#include "backends/htp/kept_away.h"
#include "backends/htp/repairs.h"
#include "backends/htp/shared_memory.h"
#include "framework/core/log.h"
#include "framework/core/temporary_folder.h"
#include "inference/sha256.h"

namespace sluice::htp {
namespace {

namespace fs = std::filesystem;

// ONNX Runtime's sentence when an operator would run on the CPU though that was forbidden.
constexpr std::string_view kCpuForbidden = "assigned to the default CPU EP";
// The provider's line in the log that names those operators; only written when the CPU is forbidden.
constexpr std::string_view kUnsupported = "Unsupported nodes in QNN EP";

// What ONNX Runtime says, asked for a compiled model, where it makes an operator's own function part of the
// graph (Mish, ...) after the provider has taken others: it would compile what is compiled. Without one it
// runs.
constexpr std::string_view kCompiledTwice = "Encountered an invalid node while compiling a model";

// The file that the provider insists on writing, in a folder of our own.
std::string context_file(const TemporaryFolder& folder) { return folder.path() + "/context.onnx"; }

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The provider's list has a pair of braces per operator; a long one is cut off by the log's size.
std::string unsupported_in(const std::string& log) {
  const std::size_t start = log.find(kUnsupported);
  if (start == std::string::npos) return {};
  std::size_t end = log.find('}', start);
  while (end != std::string::npos) {
    const std::size_t next = log.find_first_not_of(' ', end + 1);
    if (next == std::string::npos || log[next] != '{') return log.substr(start, end - start + 1);
    end = log.find('}', next);
  }
  return log.substr(start) + "...";
}

// "Conv, Relu, Shrink", cut where it gets long.
std::string operator_types(const onnx::ModelHeader& header) {
  constexpr std::size_t kMost = 12;
  std::set<std::string_view> types;
  for (const onnx::Operator& op : header.operators) types.insert(op.type);
  std::string text;
  std::size_t count = 0;
  for (const std::string_view type : types) {
    text += (count > 0 ? ", " : "") + std::string(count == kMost ? "..." : type);
    if (count++ == kMost) break;
  }
  return text;
}

// What to do where the provider stumbles over operators that are integers themselves; empty: there are none.
std::string integer_advice(const onnx::ModelHeader& header) {
  std::map<std::string, int> found;
  for (const onnx::Operator& op : header.operators)
    if (op.type.starts_with("QLinear") || op.type.ends_with("Integer") || op.type == "DynamicQuantizeLinear")
      ++found[std::string(op.type)];
  if (found.empty()) return {};
  std::string list;
  for (const auto& [type, count] : found)
    list += (list.empty() ? "" : ", ") + std::to_string(count) + " " + type;
  return "; the model is quantised in operators of their own (" + list +
         "), the NPU takes float operators between QuantizeLinear and DequantizeLinear (QDQ): export it "
         "in that form, or run 'sluice quantize' on the float model it was made from";
}

// What to do where the provider cannot compile and speaks of layouts or of memory; empty: it fails otherwise.
std::string other_advice(const std::string& failure, const onnx::ModelHeader& header,
                         const HtpOptions& options) {
  const bool memory = failure.find("QNN_COMMON_ERROR_MEM_ALLOC") != std::string::npos;
  if (!memory && failure.find("com.ms.internal.nhwc") == std::string::npos) return {};
  const bool quantised = std::ranges::any_of(
      header.operators, [](const onnx::Operator& op) { return op.type == "DequantizeLinear"; });
  if (!quantised && !options.provider.contains("enable_htp_fp16_precision"))
    return "; the model is float32, which the NPU computes in few operators only: run 'sluice quantize' on "
           "it";
  return "; QNN says this of operators that it cannot compile for the chip, such as float ones before v69 or "
         "PRelu in 16 bits: 'sluice inspect' lists what is quantised";
}

}  // namespace

// One try: what goes in and what came of it.
struct Opener::Attempt {
  Share share;
  bool fresh;        // the cache is not asked
  bool keep = true;  // the compiled model is asked for
  std::optional<ArtifactKey> key;
  std::optional<ContextEntry> cached;
  std::optional<TemporaryFolder> folder;  // where the provider writes the context
};

Opener::Opener(std::shared_ptr<Provider> provider, std::shared_ptr<const CheckedModel> model,
               SessionRequest request, HtpOptions options, std::shared_ptr<ArtifactCache> cache,
               std::shared_ptr<const ort::SharedMemory> memory)
    : provider_(std::move(provider)),
      model_(std::move(model)),
      request_(std::move(request)),
      options_(std::move(options)),
      cache_(std::move(cache)),
      memory_(std::move(memory)),
      compiled_(is_compiled(model_->header)),
      unfit_(compiled_ ? Unfit{}
                       : unfit_operators(model_->header, model_->file->bytes(), request_.model.dims)) {}

Result<Opened> Opener::open() {
  SLUICE_ASSIGN(Opened opened, open_with_fallback(false));
  if (!memory_ || opened.compiled.empty()) return opened;
  opened.session.reset();
  return open_again(opened);
}

// The provider shares no memory in a session that writes its compiled model.
Result<Opened> Opener::open_again(const Opened& compiled) {
  const Share share = compiled.placement.elsewhere.empty() ? Share::kWhole : Share::kSplit;
  Attempt attempt{.share = share, .fresh = false, .key = {}, .cached = {}, .folder = {}};
  attempt.cached = ContextEntry{compiled.placement, compiled.compiled};
  return load(attempt);
}

Result<Opened> Opener::compile() {
  if (compiled_)
    return unavailable(describe(request_.model) + ": is compiled already (it has an EPContext node)");
  SLUICE_ASSIGN(Opened opened, open_with_fallback(true));
  if (opened.compiled.empty())
    return unavailable(describe(request_.model) + ": the provider wrote no compiled model");
  return opened;
}

Result<Opened> Opener::open_with_fallback(bool fresh) {
  if (!unfit_.empty()) return open_without_unfit(fresh);
  auto whole = try_open(Share::kWhole, fresh);
  if (whole.ok()) return whole;
  const std::string advice = integer_advice(model_->header);
  if (whole.status().message().find(kCpuForbidden) == std::string::npos)
    return Status(
        whole.status().code(),
        whole.status().message() +
            (advice.empty() ? other_advice(whole.status().message(), model_->header, options_) : advice));
  const std::string reason = unsupported_in(ort::recent_warnings());
  const std::string why =
      (reason.empty() ? "the provider does not say which; the model's are " + operator_types(model_->header)
                      : reason) +
      advice;
  return open_split(fresh, why);
}

Result<Opened> Opener::open_without_unfit(bool fresh) {
  const auto opset = model_->header.opsets.find("");
  if (opset != model_->header.opsets.end() && opset->second < kLeastOpset)
    return unavailable(describe(request_.model) + ": " + describe(unfit_) + "; from opset " +
                       std::to_string(kLeastOpset) + " on the CPU can do that part alone, this is opset " +
                       std::to_string(opset->second));
  return open_split(fresh, describe(unfit_));
}

Result<Opened> Opener::open_split(bool fresh, const std::string& why) {
  if (request_.on_fallback == "error")
    return unavailable(describe(request_.model) + ": backend 'htp' cannot take every operator (" + why + ")");
  SLUICE_ASSIGN(Opened split, try_open(Share::kSplit, fresh));
  if (split.placement.on_backend == 0)
    return unavailable(describe(request_.model) + ": backend 'htp' takes none of the " +
                       std::to_string(split.placement.total) + " operators (" + why + ")");
  split.placement.reasons = {why};
  return split;
}

// Of a model that is split, ONNX Runtime writes the constants of loops and branches twice, and refuses to
// read that.
bool Opener::can_keep(Share share) const {
  return share == Share::kWhole || (!model_->header.has_subgraphs && unfit_.empty());
}

// Each is one operator of the model, whatever is made around it.
void Opener::count_kept_away(Placement& placement) const {
  const int added = (kCountedOperators - 1) * static_cast<int>(unfit_.size());
  const auto on_cpu = placement.elsewhere.find("cpu");
  if (on_cpu == placement.elsewhere.end() || on_cpu->second <= added) return;
  on_cpu->second -= added;
  placement.total -= added;
}

Result<Opened> Opener::try_open(Share share, bool fresh) {
  Attempt attempt{.share = share,
                  .fresh = fresh || !can_keep(share),
                  .keep = can_keep(share),
                  .key = {},
                  .cached = {},
                  .folder = {}};
  auto opened = load(attempt);
  if (opened.ok()) return opened;
  const std::string failure = opened.status().message();
  if (attempt.folder && failure.find(context_file(*attempt.folder)) != std::string::npos)
    return open_unkept(
        share, fresh,
        failed("there is no room for the compiled model in the folder for temporary files (TMPDIR): " +
               failure));
  if (attempt.folder && failure.find(kCompiledTwice) != std::string::npos)
    return open_unkept(
        share, fresh,
        unavailable(describe(request_.model) +
                    " has an operator that ONNX Runtime takes apart only while it compiles, such as "
                    "Mish, and then there is no compiled model; take such operators apart in the file"));
  if (!attempt.cached) return opened;
  cache_->reject(*attempt.key, "was refused: " + opened.status().message());
  Attempt again{.share = share, .fresh = true, .key = {}, .cached = {}, .folder = {}};
  return load(again);
}

// There is no compiled model to be had: what only wants to run does without.
Result<Opened> Opener::open_unkept(Share share, bool wanted, const Status& why) {
  if (wanted) return why;
  Attempt attempt{.share = share, .fresh = true, .keep = false, .key = {}, .cached = {}, .folder = {}};
  auto opened = load(attempt);
  if (opened.ok()) report_unkept("backend 'htp': the compiled model is not kept: " + why.message());
  return opened;
}

Result<Opened> Opener::load(Attempt& attempt) {
  ort::SessionConfig config{.backend = "htp",
                            .provider = Provider::kName,
                            .kind = RunKind::kWaits,
                            .static_batch = true,
                            .substitute = {},
                            .configure = {}};
  config.substitute = [&](std::string_view model) -> std::optional<std::string> {
    if (compiled_) return std::nullopt;
    if (attempt.cached) return attempt.cached->model;
    std::optional<std::string> better = repaired(model, request_.model.dims);
    attempt.key = key_of(better ? *better : model, attempt.share);
    if (attempt.fresh) return better;
    const auto bytes = cache_->load(*attempt.key);
    if (!bytes) return better;
    auto entry = unpack_entry(*bytes);
    if (!entry.ok()) {
      cache_->reject(*attempt.key, entry.status().message());
      return better;
    }
    attempt.cached = std::move(*entry);
    return attempt.cached->model;
  };
  config.configure = [&](Ort::SessionOptions& session) { configure(session, attempt); };
  SLUICE_ASSIGN(auto session, ort::OrtSession::create(provider_->runtime(), request_, config));
  if (memory_ && !attempt.folder) session->share(memory_);
  Opened out{std::move(session), {}, {}};
  out.placement = attempt.cached ? attempt.cached->placement : out.session->placement();
  count_kept_away(out.placement);
  if (!attempt.folder) return out;
  out.compiled = read_file(context_file(*attempt.folder));
  if (!out.compiled.empty()) cache_->store(*attempt.key, pack_entry({out.placement, out.compiled}));
  return out;
}

void Opener::configure(Ort::SessionOptions& session, Attempt& attempt) const {
  const bool whole = attempt.share == Share::kWhole;
  session.SetIntraOpNumThreads(1);
  session.AddConfigEntry("session.intra_op.allow_spinning", "0");
  session.AddConfigEntry("session.disable_cpu_ep_fallback", whole ? "1" : "0");
  if (compiled_) {
    session.AddConfigEntry("session.disable_model_compile", "1");
    session.AddConfigEntry("ep.context_file_path", request_.model.path.c_str());  // its binary lies beside it
  } else if (attempt.cached) {
    session.AddConfigEntry("session.disable_model_compile", "1");
  } else {
    fix_dimensions(session);
    if (attempt.keep && (attempt.fresh || cache_->usable())) ask_for_context(session, attempt);
  }
  std::unordered_map<std::string, std::string> options(options_.provider.begin(), options_.provider.end());
  if (memory_ && !attempt.folder) options[kSharedMemoryOption] = "1";
  session.AppendExecutionProvider_V2(provider_->runtime()->env(), {provider_->device()}, options);
}

void Opener::ask_for_context(Ort::SessionOptions& session, Attempt& attempt) {
  auto folder = TemporaryFolder::make("context");
  if (folder.ok()) {
    attempt.folder.emplace(std::move(*folder));
    session.AddConfigEntry("ep.context_enable", "1");
    session.AddConfigEntry("ep.context_embed_mode", "1");
    session.AddConfigEntry("ep.context_file_path", context_file(*attempt.folder).c_str());
  } else {
    report_unkept("backend 'htp': " + folder.status().message() + "; the compiled model is not kept");
  }
}

// The NPU takes static shapes only. Names that `dims` gives are fixed already.
void Opener::fix_dimensions(Ort::SessionOptions& session) const {
  for (const onnx::ValueInfo& input : model_->header.inputs)
    for (std::size_t i = 0; i < input.dims.size(); ++i) {
      const onnx::Dim& dim = input.dims[i];
      if (dim.value >= 0 || dim.name.empty()) continue;
      std::int64_t size = i == 0 ? std::max(1, request_.batch) : 1;
      const std::string name(dim.name), place = std::string(input.name) + "." + std::to_string(i);
      for (const auto& [key, written] : request_.model.dims)
        if (key == name || key == place) size = written;
      Ort::ThrowOnError(
          provider_->runtime()->api().AddFreeDimensionOverrideByName(session, name.c_str(), size));
    }
}

ArtifactKey Opener::key_of(std::string_view model, Share share) const {
  ArtifactKey key("qnn-context");
  key.add("model", sha256_hex(model));
  for (const onnx::ExternalData& data : model_->header.external) {
    const auto file = ModelFile::open(folder_of(request_.model.path) + "/" + data.location);
    key.add("external " + data.location, file.ok() ? sha256_hex((*file)->bytes()) : "unreadable");
  }
  for (const auto& [name, size] : request_.model.dims) key.add("dim " + name, std::to_string(size));
  key.add("batch", std::to_string(std::max(1, request_.batch)));
  key.add("share", share == Share::kWhole ? "whole" : "split");
  for (const auto& [name, value] : options_.provider) key.add("option " + name, value);
  key.add_version("provider", provider_->fingerprint());
  return key.add_version("onnxruntime", provider_->runtime()->library().version);
}

}  // namespace sluice::htp
