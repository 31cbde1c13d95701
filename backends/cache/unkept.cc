#include "backends/cache/unkept.h"

#include <mutex>
#include <optional>

#include "framework/core/log.h"

namespace sluice {
namespace {

struct Collected {
  std::mutex mutex;
  std::optional<std::vector<std::string>> reasons;  // none: nobody collects
};

Collected& collected() {
  static Collected instance;
  return instance;
}

}  // namespace

void report_unkept(const std::string& why) {
  Collected& c = collected();
  {
    const std::lock_guard lock(c.mutex);
    if (c.reasons) return c.reasons->push_back(why);
  }
  log_message(LogLevel::kWarning, why);
}

UnkeptCollector::UnkeptCollector() {
  const std::lock_guard lock(collected().mutex);
  collected().reasons.emplace();
}

UnkeptCollector::~UnkeptCollector() {
  const std::lock_guard lock(collected().mutex);
  collected().reasons.reset();
}

std::vector<std::string> UnkeptCollector::reasons() const {
  const std::lock_guard lock(collected().mutex);
  return collected().reasons.value_or(std::vector<std::string>{});
}

}  // namespace sluice
