#include "framework/core/buffer.h"

#include <cstdlib>
#include <cstring>
#include <limits>

#include "framework/core/free_list.h"

namespace sluice {
namespace {

constexpr std::size_t kAlign = 64;
#ifndef NDEBUG
constexpr int kPoison = 0xDB;  // makes a use after return visible
#endif

std::size_t round_up(std::size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

}  // namespace

struct BufferPool::Impl {
  Impl(std::string name, std::size_t bytes_each, std::uint32_t count, MemoryKind memory_kind)
      : list(std::move(name), bytes_each, count), kind(memory_kind), cells(new detail::BufferCell[count]) {}
  ~Impl() { std::free(memory); }

  detail::FreeList list;
  MemoryKind kind;
  std::unique_ptr<detail::BufferCell[]> cells;
  std::byte* memory = nullptr;
};

BufferPool::BufferPool(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BufferPool::~BufferPool() = default;

void BufferPool::Deleter::operator()(BufferPool* pool) const { pool->drop_owner(); }

Result<BufferPool::Ptr> BufferPool::create(std::string name, std::size_t bytes_each, std::size_t buffers,
                                           MemoryKind kind) {
  const std::size_t stride = round_up(bytes_each == 0 ? 1 : bytes_each);
  if (stride < bytes_each || buffers > std::numeric_limits<std::uint32_t>::max() / 2 ||
      (buffers != 0 && stride > std::numeric_limits<std::size_t>::max() / buffers)) {
    return failed("pool '" + name + "': " + std::to_string(buffers) + " buffers of " +
                  std::to_string(bytes_each) + " bytes are more than can be addressed");
  }
  auto impl = std::make_unique<Impl>(name, bytes_each, static_cast<std::uint32_t>(buffers), kind);
  const std::size_t total = stride * buffers;
  if (total > 0) {
    impl->memory = static_cast<std::byte*>(std::aligned_alloc(kAlign, total));
    if (!impl->memory) {
      return failed("pool '" + name + "': no memory for " + std::to_string(buffers) + " buffers of " +
                    std::to_string(bytes_each) + " bytes");
    }
    std::memset(impl->memory, 0, total);  // touches each page now
  }
  auto* pool = new BufferPool(std::move(impl));
  for (std::size_t i = 0; i < buffers; ++i) {
    auto& cell = pool->impl_->cells[i];
    cell.index = static_cast<std::uint32_t>(i);
    cell.data = pool->impl_->memory + i * stride;
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
MemoryKind BufferPool::kind() const { return impl_->kind; }

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
