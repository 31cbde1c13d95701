// A run that cannot start, and a node that cannot begin yet.
#include <fmt/format.h>

#include "framework/core/guarded.h"
#include "framework/core/log.h"
#include "runtime/engine.h"

namespace sluice {
namespace {

constexpr TimeNs kBeginAgain = from_ms(50);

}  // namespace

Status Engine::fail_start(const Status& why) {
  {
    std::lock_guard lock(mutex_);
    if (started_ || !start_status_.ok()) return why;
    start_status_ = why;
  }
  disconnect_app_sources();  // whoever pushes would wait for ever
  return why;
}

// One that times out waits for somebody, such as the reader of a pipe: until he comes, or a stop.
Status Engine::begin_node(std::size_t n) {
  const auto begin = [&] { return guarded([&] { return nodes_[n]->begin_run(); }); };
  const auto stop_wanted = [this] { return stop_is_wanted(); };
  Status status = begin();
  if (status.code() != Code::kTimeout) return status;
  log_message(LogLevel::kInfo,
              fmt::format("node '{}': {} yet; the run waits for that", plan_->nodes[n].id, status.message()));
  while (status.code() == Code::kTimeout) {
    if (stop_wanted()) return cancelled("stopped: " + status.message());
    clock_.sleep_until(clock_.now() + kBeginAgain, stop_wanted);
    status = begin();
  }
  return status;
}

}  // namespace sluice
