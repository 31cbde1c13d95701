#include "framework/graph/tbb_threads.h"

#include <memory>
#include <mutex>

#include <tbb/global_control.h>

namespace sluice {
namespace {

std::mutex mutex;  // guards what follows
std::size_t workers_of_all = 0;
std::unique_ptr<tbb::global_control> limit;

// The new limit is there before the old one goes: oneTBB's own default never applies in between.
void set_limit() {
  std::unique_ptr<tbb::global_control> next;
  if (workers_of_all > 0) {  // oneTBB counts the thread that waits for them too
    next = std::make_unique<tbb::global_control>(tbb::global_control::max_allowed_parallelism,
                                                 workers_of_all + 1);
  }
  limit = std::move(next);
}

}  // namespace

TbbThreads::TbbThreads(std::size_t workers) : workers_(workers) {
  const std::lock_guard lock(mutex);
  workers_of_all += workers_;
  set_limit();
}

TbbThreads::~TbbThreads() {
  const std::lock_guard lock(mutex);
  workers_of_all -= workers_;
  set_limit();
}

}  // namespace sluice
