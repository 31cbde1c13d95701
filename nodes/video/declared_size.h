// How many bytes a container says it has: tells a file that was cut off from one that ends there.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace sluice {

// From the first bytes of a file. Matroska and WebM tell the size of their segment, AVI that of its first
// part. -1: it says nothing, as do recordings that were never finished and all other containers.
std::int64_t declared_size(std::span<const std::uint8_t> head);

// "1000 of 2000 bytes" when the file at `path` is shorter than it says; else, and when it cannot be read,
// empty.
std::string missing_bytes(const std::string& path);

}  // namespace sluice
