// Memory that a provider reads and writes in place, if it is told so: tensors in it are bound with its own
// OrtMemoryInfo, which is all that tells the provider.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <shared_mutex>

#include "backends/ort/api.h"
#include "framework/core/memory_source.h"

namespace sluice::ort {

// What one provider's allocator lends. Thread-safe.
class SharedMemory : public MemorySource {
 public:
  // `info` outlives this; `keep` is what must: the session that the allocator is of, and its library.
  SharedMemory(std::shared_ptr<void> keep, Ort::Allocator allocator, const OrtMemoryInfo* info)
      : keep_(std::move(keep)), allocator_(std::move(allocator)), info_(info) {}

  MemoryKind kind() const override { return MemoryKind::kShared; }
  std::byte* allocate(std::size_t bytes) override;
  void free(std::byte* data, std::size_t bytes) override;
  // Whether all these bytes lie in one allocation of it.
  bool holds(const std::byte* data, std::size_t bytes) const;
  const OrtMemoryInfo* info() const { return info_; }

 private:
  const std::shared_ptr<void> keep_;  // first: goes last
  Ort::Allocator allocator_;
  const OrtMemoryInfo* const info_;
  mutable std::shared_mutex mutex_;
  std::map<const std::byte*, std::size_t> lent_;  // where each allocation begins, and its size
};

}  // namespace sluice::ort
