// Stands in for libcdsprpc.so: memory with a descriptor each, as the kernel of a device gives it.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <map>
#include <mutex>

namespace {

struct Block {
  int descriptor;
  std::size_t size;
};
std::mutex mutex;
std::map<void*, Block> blocks;

}  // namespace

#define SLUICE_EXPORT extern "C" __attribute__((visibility("default")))

SLUICE_EXPORT void* rpcmem_alloc(int /*heap*/, unsigned /*flags*/, int size) {
  const int descriptor = ::memfd_create("rpcmem", 0);
  const auto bytes = static_cast<std::size_t>(size);
  if (descriptor < 0 || ::ftruncate(descriptor, size) != 0) return nullptr;
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (data == MAP_FAILED) return nullptr;
  const std::lock_guard lock(mutex);
  blocks[data] = {descriptor, bytes};
  return data;
}

SLUICE_EXPORT void rpcmem_free(void* data) {
  const std::lock_guard lock(mutex);
  const auto found = blocks.find(data);
  if (found == blocks.end()) return;
  ::munmap(data, found->second.size);
  ::close(found->second.descriptor);
  blocks.erase(found);
}

SLUICE_EXPORT int rpcmem_to_fd(void* data) {
  const std::lock_guard lock(mutex);
  const auto found = blocks.find(data);
  return found == blocks.end() ? -1 : found->second.descriptor;
}

SLUICE_EXPORT int remote_register_buf_attr2(void*, std::size_t, int, int) { return 0; }
SLUICE_EXPORT void remote_register_buf_attr(void*, int, int, int) {}
SLUICE_EXPORT void remote_register_buf(void*, int, int) {}

// For the test: how many blocks are out.
SLUICE_EXPORT int fake_rpcmem_alive() {
  const std::lock_guard lock(mutex);
  return static_cast<int>(blocks.size());
}
