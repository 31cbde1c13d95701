#include "backends/ort/runtime.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace sluice::ort {
namespace {

// Trivially destructible: ONNX Runtime may still log when this thread's other thread-locals are gone.
struct Warnings {
  char text[2048];
  std::size_t length;
};
thread_local Warnings warnings{};

// Housekeeping of its optimiser, what only Windows has, and that there is a reason, which the provider says
// itself: no reason for anything.
bool idle_talk(std::string_view text) {
  constexpr std::array<std::string_view, 4> kStarts = {
      "Removing initializer", "File mapped weights feature",
      "Some nodes were not assigned to the preferred execution providers", "Rerunning with verbose output"};
  return std::ranges::any_of(kStarts, [text](std::string_view start) { return text.starts_with(start); });
}

void ORT_API_CALL on_log(void*, OrtLoggingLevel, const char*, const char*, const char*, const char* message) {
  constexpr std::string_view kSeparator = "; ";
  std::string_view text = message ? std::string_view(message) : std::string_view();
  if (idle_talk(text)) return;
  while (text.ends_with('\n') || text.ends_with(' ')) text.remove_suffix(1);
  const std::size_t separator = warnings.length > 0 ? kSeparator.size() : 0;
  if (separator > sizeof warnings.text - warnings.length) return;
  text =
      text.substr(0, sizeof warnings.text - warnings.length - separator);  // long ones begin with the reason
  std::memcpy(warnings.text + warnings.length, kSeparator.data(), separator);
  warnings.length += separator;
  std::memcpy(warnings.text + warnings.length, text.data(), text.size());
  warnings.length += text.size();
}

}  // namespace

std::string recent_warnings() {
  std::string out{warnings.text, warnings.length};
  std::ranges::replace(out, '\n', ' ');  // they end up in errors, which are one line
  return out;
}

void forget_warnings() { warnings.length = 0; }

std::string explain(const std::string& message) {
  const std::string log = recent_warnings();
  std::string text = "ONNX Runtime: " + message;
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  std::ranges::replace(text, '\n', ' ');
  return log.empty() || text.find(log) != std::string::npos ? text : text + " (" + log + ")";
}

Runtime::Runtime(Library library) : library_(std::move(library)) {
  Ort::InitApi(library_.api);
  env_ = Ort::Env(ORT_LOGGING_LEVEL_WARNING, "sluice", on_log, nullptr);
}

Runtime::~Runtime() {
  for (const std::string& name : plugins_)
    Ort::Status ignored(library_.api->UnregisterExecutionProviderLibrary(env_, name.c_str()));
}

Status Runtime::register_plugin(const std::string& name, const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (std::ranges::find(plugins_, name) != plugins_.end()) return {};
  try {
    env_.RegisterExecutionProviderLibrary(name.c_str(), path);
  } catch (const std::exception& error) {
    return unavailable(explain(error.what()));
  }
  plugins_.push_back(name);
  return {};
}

Result<std::shared_ptr<Runtime>> Runtime::create() {
  // 1.29 sends usage data unless told not to; whoever wants it sets the variable to 0.
  setenv("ORT_DISABLE_TELEMETRY", "1", 0);
  SLUICE_ASSIGN(Library library, load_library(library_candidates()));
  try {
    return std::shared_ptr<Runtime>(new Runtime(std::move(library)));
  } catch (const std::exception& error) {
    return unavailable(explain(error.what()));
  }
}

Result<std::shared_ptr<Runtime>> Runtime::get() {
  static const Result<std::shared_ptr<Runtime>> instance = create();
  return instance;
}

}  // namespace sluice::ort
