#include "framework/core/buffer.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "framework/core/free_list.h"
#include "framework/core/memory_source.h"

namespace sluice {
namespace {

constexpr std::size_t kAlign = 64;
#ifndef NDEBUG
constexpr int kPoison = 0xDB;  // makes a use after return visible
#endif

std::size_t round_up(std::size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

}  // namespace

struct BufferPool::Impl {
  Impl(std::string name, std::size_t bytes_each, std::uint32_t count, std::shared_ptr<MemorySource> from)
      : list(std::move(name), bytes_each, count),
        cells(new detail::BufferCell[count]),
        source(std::move(from)) {}
  ~Impl() {
    if (source)
      for (std::uint32_t i = 0; i < lent; ++i) source->free(cells[i].data, stride());
    std::free(memory);
  }
  std::size_t stride() const { return round_up(std::max<std::size_t>(1, list.bytes_each())); }
  bool take_memory(std::size_t buffers);

  detail::FreeList list;
  std::unique_ptr<detail::BufferCell[]> cells;
  std::byte* memory = nullptr;           // the process's own, one block
  std::shared_ptr<MemorySource> source;  // null: `memory`
  std::uint32_t lent = 0;                // cells whose data is the source's
};

// Touches each page now. False: there is no more.
bool BufferPool::Impl::take_memory(std::size_t buffers) {
  if (!source && buffers > 0) {
    memory = static_cast<std::byte*>(std::aligned_alloc(kAlign, stride() * buffers));
    if (!memory) return false;
    std::memset(memory, 0, stride() * buffers);
  }
  for (std::size_t i = 0; i < buffers; ++i) {
    cells[i].data = source ? source->allocate(stride()) : memory + i * stride();
    if (!cells[i].data) return false;
    if (!source) continue;
    std::memset(cells[i].data, 0, stride());
    ++lent;
  }
  return true;
}

BufferPool::BufferPool(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BufferPool::~BufferPool() = default;

void BufferPool::Deleter::operator()(BufferPool* pool) const { pool->drop_owner(); }

Result<BufferPool::Ptr> BufferPool::create(std::string name, std::size_t bytes_each, std::size_t buffers,
                                           std::shared_ptr<MemorySource> source) {
  const std::size_t stride = round_up(bytes_each == 0 ? 1 : bytes_each);
  if (stride < bytes_each || buffers > kMostInPool ||
      (buffers != 0 && stride > std::numeric_limits<std::size_t>::max() / buffers)) {
    return failed("pool '" + name + "': " + std::to_string(buffers) + " buffers of " +
                  std::to_string(bytes_each) + " bytes are more than can be addressed");
  }
  auto impl =
      std::make_unique<Impl>(name, bytes_each, static_cast<std::uint32_t>(buffers), std::move(source));
  if (!impl->take_memory(buffers)) {
    return failed("pool '" + name + "': no " + (impl->source ? "shared " : "") + "memory for " +
                  std::to_string(buffers) + " buffers of " + std::to_string(bytes_each) + " bytes");
  }
  auto* pool = new BufferPool(std::move(impl));
  for (std::size_t i = 0; i < buffers; ++i) {
    auto& cell = pool->impl_->cells[i];
    cell.index = static_cast<std::uint32_t>(i);
    cell.pool = pool;
  }
  return Ptr(pool);
}

BufferRef BufferPool::acquire() {
  const std::uint32_t index = impl_->list.take();
  if (index == detail::FreeList::kEmpty) return {};
  impl_->list.hold();
  detail::BufferCell* cell = &impl_->cells[index];
  cell->refs.store(1, std::memory_order_relaxed);
  return BufferRef(cell);
}

void BufferPool::give_back(detail::BufferCell* cell) {
#ifndef NDEBUG
  std::memset(cell->data, kPoison, impl_->list.bytes_each());
#endif
  impl_->list.put(cell->index);
  drop_owner();
}

void BufferPool::drop_owner() {
  if (impl_->list.let_go()) delete this;
}

void BufferPool::on_available(std::function<void()> callback) {
  impl_->list.on_available(std::move(callback));
}
PoolStats BufferPool::stats() const { return impl_->list.stats(); }
const std::string& BufferPool::name() const { return impl_->list.name(); }
std::size_t BufferPool::bytes_each() const { return impl_->list.bytes_each(); }
MemoryKind BufferPool::kind() const { return impl_->source ? impl_->source->kind() : MemoryKind::kHost; }

BufferRef BufferRef::foreign(std::byte* data, std::function<void()> on_free) {
  auto* cell = new detail::BufferCell;
  cell->refs.store(1, std::memory_order_relaxed);
  cell->data = data;
  cell->on_free = std::move(on_free);
  return BufferRef(cell);
}

void detail::release_buffer(BufferCell* cell) {
  if (cell->pool) {
    cell->pool->give_back(cell);
    return;
  }
  if (cell->on_free) cell->on_free();
  delete cell;
}

}  // namespace sluice
