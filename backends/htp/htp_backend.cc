#include "backends/htp/htp_backend.h"

#include <algorithm>
#include <mutex>
#include <optional>

#include "backends/htp/compiled_model.h"
#include "backends/htp/htp_session.h"
#include "backends/htp/opener.h"
#include "backends/htp/parts.h"
#include "backends/htp/refusals.h"
#include "backends/htp/shared_memory.h"
#include "framework/core/log.h"
#include "framework/node/htp_socs.h"
#include "inference/backend_options.h"
#include "inference/memory_offer.h"

namespace sluice {
namespace {

using htp::Opener;

// A context binary reads and writes integers; in an ONNX model QuantizeLinear could stand before it, but the
// provider finds its tensors by the names that the model's inputs and outputs have.
Status check_edges(const SessionRequest& request, const CheckedModel& model) {
  if (!model.wrapped) return {};
  const auto kept = [&request](onnx::Bytes name) {
    return std::ranges::find(request.keep_float, name) != request.keep_float.end();
  };
  for (std::size_t i = 0; i < model.header.inputs.size(); ++i)
    if (model.edges.inputs[i] && kept(model.header.inputs[i].name))
      return invalid(describe(request.model) + ": input '" + std::string(model.header.inputs[i].name) +
                     "' of a context binary takes integers, not float32; put a quantize node before it");
  for (std::size_t i = 0; i < model.header.outputs.size(); ++i)
    if (model.edges.outputs[i] && kept(model.header.outputs[i].name))
      return invalid(describe(request.model) + ": output '" + std::string(model.header.outputs[i].name) +
                     "' of a context binary gives integers, not float32; put a dequantize node behind it");
  return {};
}

// Where it is not found no session opens anyway, and that is said then.
std::string system_library() {
  const auto files = htp::find_provider(htp::provider_folders());
  return files.ok() ? files->system : std::string();
}

class HtpBackend final : public Backend, public MemoryOffer {
 public:
  explicit HtpBackend(HtpSetup setup) : setup_(std::move(setup)) {
    if (!setup_.cache) setup_.cache = std::make_shared<ArtifactCache>(ArtifactCache::default_folder());
  }
  std::string_view name() const override { return "htp"; }
  Status available() override;
  bool simulated() const override { return setup_.simulated; }
  std::string version() override;
  const std::vector<OptionDeclaration>& options() const override { return backend_options("htp"); }
  Result<std::unique_ptr<Session>> open(const SessionRequest& request) override;
  Result<std::string> compile(const SessionRequest& request) override;
  Result<std::shared_ptr<MemorySource>> memory(const OptionMap& options) override;

 private:
  struct Prepared {
    htp::HtpOptions options;
    std::shared_ptr<Opener> opener;
  };
  using Memory = std::shared_ptr<ort::SharedMemory>;
  Result<Prepared> prepare(const SessionRequest& request, Memory memory);
  Result<Memory> shared_memory(const OptionMap& written);

  HtpSetup setup_;
  std::mutex mutex_;
  std::optional<Result<Memory>> shared_;  // once it was asked for
  const std::shared_ptr<htp::Health> health_ = std::make_shared<htp::Health>();
};

Status HtpBackend::available() {
  if (health_->failed()) return htp::Health::failure();
  // All that is missing at once; the simulator is its libraries alone, which the provider finds or names.
  Status status = setup_.simulated
                      ? Status{}
                      : htp::check_parts(htp::look_at_parts(htp::places_of_process(setup_.root, false)));
  if (status.ok()) status = setup_.provider().status();
  return status.with_context("backend 'htp' is not available: ");
}

std::string HtpBackend::version() {
  const auto provider = setup_.provider();
  if (!provider.ok()) return {};
  return (*provider)->version() + (setup_.simulated ? ", Qualcomm's simulator" : "");
}

Result<HtpBackend::Memory> HtpBackend::shared_memory(const OptionMap& written) {
  const OptionMap all = with_defaults("htp", written);
  if (Options(all).text("shared_memory") == "off") return unavailable("shared_memory is 'off'");
  if (setup_.simulated && !setup_.shared_memory) return unavailable(htp::kSimulatorSharesNothing);
  const std::lock_guard lock(mutex_);
  if (shared_) return *shared_;
  SLUICE_ASSIGN(auto provider, setup_.provider());
  shared_ = setup_.shared_memory ? setup_.shared_memory(std::move(provider))
                                 : htp::open_shared_memory(std::move(provider));
  if (!shared_->ok())
    log_message(LogLevel::kWarning,
                "backend 'htp': what it reads and writes is copied: " + shared_->status().message());
  return *shared_;
}

Result<std::shared_ptr<MemorySource>> HtpBackend::memory(const OptionMap& written) {
  SLUICE_ASSIGN(Memory memory, shared_memory(written));
  return std::shared_ptr<MemorySource>(std::move(memory));
}

Result<HtpBackend::Prepared> HtpBackend::prepare(const SessionRequest& request, Memory memory) {
  SLUICE_ASSIGN(auto provider, setup_.provider());
  SLUICE_ASSIGN(auto model, check_model(request.model));
  const bool compiled = htp::is_compiled(model->header);
  htp::Target target{.simulated = setup_.simulated,
                     .machine = htp::machine_name(setup_.root),
                     .float_model = !is_quantised(model->header)};
  OptionMap written = with_defaults("htp", request.options);
  // The plan has refused what concerns no model; beside a float model or variant it is not about this one.
  if (!target.float_model && !request.node.empty())
    for (const char* key : {"precision", "fp16_clamp"}) written[key] = with_defaults("htp", {})[key];
  htp::CompiledFor made;
  if (compiled) {
    SLUICE_RETURN_IF_ERROR(check_edges(request, *model));
    auto found = htp::find_compiled_for(*model, system_library());
    if (!found.ok())
      return found.status().with_context(describe(request.model) + ": '" + request.model.path + "': ");
    made = std::move(*found);
  }
  // The simulator is whatever chip the model was compiled for, unless the file says another.
  if (compiled && setup_.simulated && Options(written).text("soc") == "auto")
    for (const HtpSoc& soc : htp_socs())
      if (soc.number == made.soc) written["soc"] = {std::string(soc.name)};
  SLUICE_ASSIGN(htp::HtpOptions options, htp::read_htp_options(written, target));
  if (compiled) {
    const HtpSoc* soc = find_htp_soc(options.soc);
    const Status fits = htp::check_compiled_for(made, soc ? soc->number : 0, options.arch, provider->qairt());
    if (!fits.ok()) return fits.with_context(describe(request.model) + ": '" + request.model.path + "' ");
  } else {
    if (const Status good = htp::check_computable(*model, request.model.dims); !good.ok())
      return good.with_context(describe(request.model) + ": ");
  }
  auto opener = std::make_shared<Opener>(std::move(provider), std::move(model), request, options,
                                         setup_.cache, std::move(memory));
  return Prepared{std::move(options), std::move(opener)};
}

Result<std::unique_ptr<Session>> HtpBackend::open(const SessionRequest& request) {
  if (health_->failed()) return htp::Health::failure();
  Result<Memory> memory = shared_memory(request.options);
  if (!memory.ok() && Options(with_defaults("htp", request.options)).text("shared_memory") == "on")
    return unavailable("backend 'htp': shared_memory is 'on', but " + memory.status().message() +
                       "; write auto to have buffers copied instead");
  SLUICE_ASSIGN(const Prepared prepared, prepare(request, memory.ok() ? *memory : nullptr));
  SLUICE_ASSIGN(htp::Opened opened, prepared.opener->open());
  htp::HtpSession::Setup setup;
  setup.clock = setup_.clock;
  setup.health = health_;
  setup.placement = std::move(opened.placement);
  setup.simulated = setup_.simulated;
  setup.performance_mode = prepared.options.performance_mode;
  setup.idle_release = prepared.options.idle_release;
  if (memory.ok()) setup.memory = std::move(*memory);
  setup.reopen = [opener = prepared.opener]() -> Result<std::unique_ptr<ort::OrtSession>> {
    SLUICE_ASSIGN(htp::Opened again, opener->open());
    return std::move(again.session);
  };
  return std::unique_ptr<Session>(
      std::make_unique<htp::HtpSession>(std::move(opened.session), std::move(setup)));
}

Result<std::string> HtpBackend::compile(const SessionRequest& request) {
  SLUICE_ASSIGN(const auto model, check_model(request.model));
  // A compiled model says nothing of the quantisation of its inputs and outputs, so they stay float.
  SessionRequest wanted = request;
  for (const auto* values : {&model->header.inputs, &model->header.outputs})
    for (const onnx::ValueInfo& value : *values) wanted.keep_float.emplace_back(value.name);
  SLUICE_ASSIGN(const Prepared prepared, prepare(wanted, nullptr));
  SLUICE_ASSIGN(htp::Opened opened, prepared.opener->compile());
  return std::move(opened.compiled);
}

}  // namespace

std::unique_ptr<Backend> make_htp_backend(HtpSetup setup) {
  return std::make_unique<HtpBackend>(std::move(setup));
}

}  // namespace sluice
