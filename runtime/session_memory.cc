#include "runtime/session_memory.h"

#include <cstdint>
#include <cstdio>
#include <optional>

#include <fmt/format.h>

#include "inference/model_file.h"

namespace sluice {
namespace {

// [assumed] what a session takes of memory: its weights as many times, and so much more.
constexpr std::uint64_t kModelCopies = 3, kSessionBytes = 32u << 20;

// Of the machine, for new allocations; none: not known.
std::optional<std::uint64_t> free_bytes() {
  std::FILE* file = std::fopen("/proc/meminfo", "re");
  if (!file) return std::nullopt;
  std::optional<std::uint64_t> out;
  char line[256];
  unsigned long kib = 0;
  while (!out && std::fgets(line, sizeof line, file))
    if (std::sscanf(line, "MemAvailable: %lu", &kib) == 1) out = std::uint64_t{kib} * 1024;
  std::fclose(file);
  return out;
}

}  // namespace

Status room_for(const ModelRequest& model) {
  SLUICE_ASSIGN(const FileStamp stamp, ModelFile::stamp_of(model.path));
  const std::uint64_t wanted = static_cast<std::uint64_t>(stamp.size) * kModelCopies + kSessionBytes;
  const std::optional<std::uint64_t> free = free_bytes();
  if (!free || wanted < *free / 2) return {};
  return unavailable(
      fmt::format("its session may take {} MB and {} MB of memory are free", wanted >> 20, *free >> 20));
}

}  // namespace sluice
