// Ends the reading of sources' headers from another thread. Private to runtime.
#pragma once

#include <mutex>

#include "framework/core/status.h"
#include "framework/node/node.h"

namespace sluice {

class OpeningStop {
 public:
  // Any thread, at any moment: what is probed now is interrupted, and nothing is probed any more.
  void stop() {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    if (source_) source_->interrupt();
  }
  bool stopped() const {
    std::lock_guard lock(mutex_);
    return stopped_;
  }
  // Calls `probe` of a source, which may be interrupted meanwhile.
  template <typename Probe>
  auto while_probing(SourceNode& source, Probe&& probe) -> decltype(probe()) {
    if (!begin(source)) return why();
    struct End {
      OpeningStop& of;
      ~End() { of.end(); }
    } const end{*this};
    return probe();
  }
  static Status why() { return cancelled("stopped before the first frame"); }

 private:
  bool begin(SourceNode& source) {
    std::lock_guard lock(mutex_);
    source_ = stopped_ ? nullptr : &source;
    return !stopped_;
  }
  void end() {
    std::lock_guard lock(mutex_);
    source_ = nullptr;
  }

  mutable std::mutex mutex_;
  bool stopped_ = false;
  SourceNode* source_ = nullptr;
};

}  // namespace sluice
