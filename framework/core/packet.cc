#include "framework/core/packet.h"

#include "framework/core/free_list.h"

namespace sluice {

struct PacketPool::Impl {
  Impl(std::string name, const PayloadType* payload, std::uint32_t count)
      : list(std::move(name), 0, count), type(payload), cells(new detail::PacketCell[count]) {}
  ~Impl() {
    for (std::uint32_t i = 0; i < list.count(); ++i) {
      if (cells[i].value) type->destroy(cells[i].value);
    }
  }

  detail::FreeList list;
  const PayloadType* type;
  std::unique_ptr<detail::PacketCell[]> cells;
};

PacketPool::PacketPool(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PacketPool::~PacketPool() = default;

void PacketPool::Deleter::operator()(PacketPool* pool) const { pool->drop_owner(); }

PacketPool::Ptr PacketPool::create(std::string name, const PayloadType* type, std::size_t packets) {
  auto impl = std::make_unique<Impl>(std::move(name), type, static_cast<std::uint32_t>(packets));
  Ptr pool(new PacketPool(std::move(impl)));
  for (std::size_t i = 0; i < packets; ++i) {
    auto& cell = pool->impl_->cells[i];
    cell.pool = pool.get();
    cell.value = type->create();
  }
  return pool;
}

Packet PacketPool::acquire(const FrameInfo& frame) {
  const std::uint32_t index = impl_->list.take();
  if (index == detail::FreeList::kEmpty) return {};
  impl_->list.hold();
  detail::PacketCell* cell = &impl_->cells[index];
  cell->refs.store(1, std::memory_order_relaxed);
  cell->frame = frame;
  return Packet(cell);
}

void PacketPool::give_back(detail::PacketCell* cell) {
  impl_->type->recycle(cell->value);
  impl_->list.put(static_cast<std::uint32_t>(cell - impl_->cells.get()));
  drop_owner();
}

void PacketPool::drop_owner() {
  if (impl_->list.let_go()) delete this;
}

void PacketPool::for_each_value(const std::function<void(void*)>& f) {
  for (std::uint32_t i = 0; i < impl_->list.count(); ++i) f(impl_->cells[i].value);
}

void PacketPool::on_available(std::function<void()> callback) {
  impl_->list.on_available(std::move(callback));
}
PoolStats PacketPool::stats() const { return impl_->list.stats(); }
const PayloadType* PacketPool::type() const { return impl_->type; }

const PayloadType* Packet::type() const { return cell_->pool->impl_->type; }

void detail::release_packet(PacketCell* cell) { cell->pool->give_back(cell); }

}  // namespace sluice
