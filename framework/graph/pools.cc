#include "framework/graph/pools.h"

#include <algorithm>

namespace sluice {
namespace {

// The payload a node makes itself; null for outputs that only hand on what came in.
const PayloadType* own_payload(const NodePlan& node, std::size_t output) {
  const auto& declared = node.declaration->outputs;
  const PortDeclaration& port = declared[std::min(output, declared.size() - 1)];
  return port.kind == PortKind::kAny ? nullptr : port.payload;
}

}  // namespace

Pools::Pools(const Plan& plan, OnAvailable on_available, MemoryOf memory)
    : plan_(plan), memory_(std::move(memory)), listener_(std::make_shared<Listener>()) {
  listener_->tell = std::move(on_available);
}

std::function<void()> Pools::telling(int node) const {
  return [listener = listener_, node] {
    std::lock_guard lock(listener->mutex);
    if (listener->tell) listener->tell(node);
  };
}

void Pools::stop_telling() {
  std::lock_guard lock(listener_->mutex);
  listener_->tell = nullptr;
}

Result<std::unique_ptr<Pools>> Pools::create(const Plan& plan, OnAvailable on_available, MemoryOf memory) {
  std::unique_ptr<Pools> pools(new Pools(plan, std::move(on_available), std::move(memory)));
  pools->pools_.resize(plan.nodes.size());
  for (std::size_t n = 0; n < plan.nodes.size(); ++n) {
    pools->pools_[n].resize(plan.nodes[n].outputs.size());
    for (std::size_t o = 0; o < plan.nodes[n].outputs.size(); ++o) {
      SLUICE_RETURN_IF_ERROR(pools->make_output(static_cast<int>(n), static_cast<int>(o)));
    }
  }
  return pools;
}

Status Pools::make_output(int node, int output) {
  const NodePlan& plan = plan_.nodes[static_cast<std::size_t>(node)];
  const OutputPlan& out = plan.outputs[static_cast<std::size_t>(output)];
  const PayloadType* payload = own_payload(plan, static_cast<std::size_t>(output));
  if (!payload || out.buffers == 0) return {};
  OutputPools& pools = at(node, output);
  pools.packets =
      PacketPool::create(plan.id + "." + out.name, payload, static_cast<std::size_t>(out.buffers));
  const auto& declared = plan.declaration->outputs;
  const auto& prepare = declared[std::min(static_cast<std::size_t>(output), declared.size() - 1)].prepare;
  if (prepare) pools.packets->for_each_value([&](void* value) { prepare(value, *plan.options); });
  pools.packets->on_available(telling(node));
  return out.buffer_bytes > 0 ? make_buffers(node, output, out.buffer_bytes, 0) : Status{};
}

Status Pools::make_buffers(int node, int output, std::size_t bytes, int extra) {
  const NodePlan& plan = plan_.nodes[static_cast<std::size_t>(node)];
  const OutputPlan& out = plan.outputs[static_cast<std::size_t>(output)];
  const std::string name = plan.id + "." + out.name;
  const auto buffers = static_cast<std::size_t>(out.buffers + extra);
  SLUICE_ASSIGN(auto pool,
                BufferPool::create(name, bytes, buffers, memory_ ? memory_(node, output) : nullptr));
  pool->on_available(telling(node));
  std::lock_guard lock(remake_);
  at(node, output).buffers = std::move(pool);
  return {};
}

std::size_t Pools::total_bytes() const {
  return total_bytes(MemoryKind::kHost) + total_bytes(MemoryKind::kShared) + total_bytes(MemoryKind::kDevice);
}

std::size_t Pools::total_bytes(MemoryKind kind) const {
  std::size_t total = 0;
  std::lock_guard lock(remake_);
  for (const auto& node : pools_) {
    for (const OutputPools& p : node) {
      if (!p.buffers || p.buffers->kind() != kind) continue;
      const PoolStats stats = p.buffers->stats();
      total += stats.buffers * stats.bytes_each;
    }
  }
  return total;
}

std::vector<NamedPool> Pools::named_stats() const {
  std::vector<NamedPool> out;
  std::lock_guard lock(remake_);
  for (std::size_t n = 0; n < pools_.size(); ++n) {
    for (std::size_t o = 0; o < pools_[n].size(); ++o) {
      const std::string name = plan_.nodes[n].id + "." + plan_.nodes[n].outputs[o].name;
      const OutputPools& p = pools_[n][o];
      if (p.packets) out.push_back({name, p.packets->stats()});
      if (p.buffers) out.push_back({name, p.buffers->stats()});
    }
  }
  return out;
}

}  // namespace sluice
