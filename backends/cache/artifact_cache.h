// What backends compiled for a device, kept between runs: QNN context binaries, OpenCL programs.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "backends/cache/artifact_key.h"
#include "backends/cache/cache_folder.h"

namespace sluice {

// The cache never fails a run: what is missing, damaged, stale, foreign or cannot be stored is one warning
// (missing: none), and the caller compiles. Two processes may compile the same at once; each stores a whole
// entry and the last one stays. Thread-safe.
class ArtifactCache {
 public:
  // `folder`: opened with the first use; empty: no cache at all, without a warning.
  explicit ArtifactCache(std::string folder) : path_(std::move(folder)) {}

  // SLUICE_ARTIFACTS when it is set (empty or "off": no cache); else `artifacts` in SLUICE_CACHE, in
  // XDG_CACHE_HOME/sluice or in HOME/.cache/sluice.
  static std::string default_folder();

  // True when there is a folder that may hold entries: what cannot be stored need not be made.
  bool usable() { return folder() != nullptr; }
  // The payload as it was stored under exactly this key, or nothing.
  std::optional<std::string> load(const ArtifactKey& key);
  // Replaces what is there; false: it was not taken, which is said once.
  bool store(const ArtifactKey& key, std::string_view payload);
  // The driver did not take what `load` gave, for `why`: warns and forgets the entry.
  void reject(const ArtifactKey& key, const std::string& why);

  // Since construction. Every `load` is a hit or a miss; a miss because of a bad entry also counts as
  // rejected.
  struct Counts {
    std::uint64_t hits = 0, misses = 0, rejected = 0, stored = 0;
  };
  Counts counts() const;

 private:
  const CacheFolder* folder();
  std::optional<std::string> miss();

  const std::string path_;
  std::once_flag opened_;
  std::optional<CacheFolder> folder_;
  std::atomic<std::uint64_t> hits_{0}, misses_{0}, rejected_{0}, stored_{0};
  std::atomic<bool> warned_of_store_{false};
};

}  // namespace sluice
