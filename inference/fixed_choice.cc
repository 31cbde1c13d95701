#include "inference/fixed_choice.h"

#include <algorithm>

#include "framework/core/log.h"
#include "inference/backend_options.h"

namespace sluice {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string describe_elsewhere(const std::string& backend, const Placement& placement) {
  std::string text = "backend '" + backend + "' takes " + std::to_string(placement.on_backend) + " of " +
                     std::to_string(placement.total) + " operators";
  for (const auto& [place, count] : placement.elsewhere)
    text += ", " + place + " takes " + std::to_string(count);
  for (const std::string& reason : placement.reasons) text += " (" + reason + ")";
  return text;
}

// Into the report, and under `warn` said to the user too.
void note_fallback(const ChoiceRequest& choice, InferenceRecord& record, const std::string& text) {
  if (record.warn(text) && choice.request.on_fallback == "warn")
    log_message(LogLevel::kWarning, "node '" + choice.request.node + "': " + text);
}

Result<SessionHandle> try_backend(InferenceServices& services, const ChoiceRequest& choice,
                                  const std::string& name) {
  Backend* backend = services.backend(name);
  if (!backend) return unavailable("backend '" + name + "' is not available: this build does not know it");
  SLUICE_RETURN_IF_ERROR(backend->available());
  SessionRequest request = choice.request;
  request.backend = name;
  const auto it = choice.options.find(name);
  const OptionMap* written = it == choice.options.end() ? nullptr : std::get_if<OptionMap>(&it->second.data);
  request.options = with_defaults(name, written ? *written : OptionMap{});
  return services.sessions().open(*backend, std::move(request));
}

}  // namespace

Result<OpenedModel> open_on(InferenceServices& services, const ChoiceRequest& choice,
                            const std::string& backend, InferenceRecord& record) {
  const bool strict = choice.request.on_fallback == "error";
  auto session = try_backend(services, choice, backend);
  if (!session.ok()) {
    if (session.status().code() != Code::kUnavailable) return session.status();
    const std::string why = session.status().message();
    if (strict) return unavailable(why + "; on_fallback is 'error'");
    note_fallback(choice, record, why + "; skipped");
    return session.status();
  }
  const Placement placement = (*session)->session().placement();
  if (!placement.elsewhere.empty()) {
    const std::string split = describe_elsewhere(backend, placement);
    if (strict) return unavailable(split + "; on_fallback is 'error'");
    note_fallback(choice, record, split);
  }
  Choice why{.at = services.clock().now(),
             .backend = backend,
             .variant = choice.request.model.variant,
             .performance_mode = std::string((*session)->session().performance_mode()),
             .step = 0,
             .reason = {}};
  return OpenedModel{std::move(*session), std::move(why), placement};
}

Result<OpenedModel> open_first_usable(InferenceServices& services, const ChoiceRequest& choice,
                                      InferenceRecord& record) {
  const bool strict = choice.request.on_fallback == "error";
  std::string skipped;
  for (const std::string& name : choice.backends) {
    auto opened = open_on(services, choice, name, record);
    if (opened.ok()) {
      opened->choice.reason = "policy fixed: the first usable of " + joined(choice.backends);
      if (!skipped.empty()) opened->choice.reason += " (" + skipped + ")";
      return opened;
    }
    if (strict || opened.status().code() != Code::kUnavailable) return opened.status();
    skipped += (skipped.empty() ? "" : "; ") + opened.status().message();
  }
  return unavailable("none of the backends " + joined(choice.backends) + " can be used: " + skipped);
}

Result<OpenedModel> open_next_usable(InferenceServices& services, const ChoiceRequest& choice,
                                     const std::string& failed_backend, const Status& why,
                                     InferenceRecord& record) {
  if (choice.request.on_fallback == "error") return why;
  ChoiceRequest rest = choice;
  rest.backends.assign(std::ranges::find(choice.backends, failed_backend), choice.backends.end());
  if (rest.backends.size() < 2) return why;
  rest.backends.erase(rest.backends.begin());
  note_fallback(choice, record, why.message() + "; from here on " + joined(rest.backends));
  SLUICE_ASSIGN(OpenedModel opened, open_first_usable(services, rest, record));
  opened.choice.reason += " (" + why.message() + ")";
  return opened;
}

}  // namespace sluice
