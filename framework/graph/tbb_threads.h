// How many threads oneTBB has for the executors of this process.
#pragma once

#include <cstddef>

namespace sluice {

// One per executor, made before its arenas. oneTBB takes the least of several limits, so the executors of a
// process share one: a thread for each worker of each of them. A pipeline whose workers are all busy or rest
// then holds up no other. Thread-safe.
class TbbThreads {
 public:
  explicit TbbThreads(std::size_t workers);
  ~TbbThreads();
  TbbThreads(const TbbThreads&) = delete;
  TbbThreads& operator=(const TbbThreads&) = delete;

 private:
  const std::size_t workers_;
};

}  // namespace sluice
