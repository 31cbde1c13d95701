#include "inference/batcher.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <thread>

#include "inference/memory_offer.h"

namespace sluice {
namespace {

constexpr std::size_t kMostItems = 64;
constexpr std::size_t kMostTensors = 32;  // inputs or outputs of a model
constexpr std::size_t kSpareBuffers = 2;  // for batches that hang

}  // namespace

Result<Batcher::Port> Batcher::make_port(const TensorType& type, std::size_t most, std::size_t buffers,
                                         std::shared_ptr<MemorySource> memory) {
  Port port;
  SLUICE_ASSIGN(port.item_bytes, byte_size(type.dtype, type.shape));
  TensorType batch = type;
  port.types.push_back(nullptr);
  for (std::size_t n = 1; n <= most; ++n) {
    batch.shape[0] = static_cast<std::int64_t>(n);
    port.types.push_back(std::make_shared<const TensorType>(batch));
  }
  SLUICE_ASSIGN(const std::size_t bytes, byte_size(batch.dtype, batch.shape));
  const std::string name = "batch of " + type.name;
  SLUICE_ASSIGN(port.pool, BufferPool::create(name, bytes, buffers, std::move(memory)));
  return port;
}

Batcher::Batcher(SharedSession& owner, Clock& clock)
    : clock_(clock),
      most_(std::min<std::size_t>(static_cast<std::size_t>(owner.batch()), kMostItems)),
      wait_(from_ms(owner.request().batch_wait_ms)),
      pad_(owner.session().static_batch()) {
  forming_.reserve(most_);
  waiting_.reserve(kMostItems);
  const auto cores = static_cast<std::size_t>(std::max(1u, std::thread::hardware_concurrency()));
  most_in_flight_ = std::min(cores, static_cast<std::size_t>(owner.session().slots()));
  const auto* user = dynamic_cast<const MemoryUser*>(&owner.session());
  const std::shared_ptr<MemorySource> memory = user ? user->memory() : nullptr;
  const auto add = [this, &memory](const std::vector<TensorType>& types, std::vector<Port>& ports) {
    for (const TensorType& type : types) {
      auto port = make_port(type, most_, most_in_flight_ + kSpareBuffers, memory);
      if (port.ok())
        ports.push_back(std::move(port).value());
      else
        broken_ = port.status();
    }
  };
  add(owner.signature().inputs, inputs_);
  add(owner.signature().outputs, outputs_);
}

void Batcher::expect(std::size_t callers) {
  std::lock_guard lock(mutex_);
  callers_ = callers;
}

// Under the lock, when somebody joined or a batch has begun.
void Batcher::note_arrivals() {
  const bool all_here = callers_ > 0 && forming_.size() + running_ >= callers_;
  complete_.store(!forming_.empty() && (forming_.size() == most_ || all_here));
}

Status Batcher::run(const std::shared_ptr<SharedSession>& session, std::span<const Tensor* const> inputs,
                    std::span<Tensor* const> outputs, RunOrder order) {
  if (!broken_.ok()) return broken_;
  Item item{.inputs = inputs, .outputs = outputs, .order = order, .status = {}, .woken = {}};
  std::unique_lock lock(mutex_);
  if (forming_.size() == most_) {
    waiting_.push_back(&item);
    item.woken.wait(lock, [&item] { return item.done || item.leads; });
    return item.done ? item.status : lead(lock, session);
  }
  forming_.push_back(&item);
  note_arrivals();
  if (forming_.size() == 1) return lead(lock, session);
  if (complete_.load()) {
    lock.unlock();
    clock_.interrupt();
    lock.lock();
  }
  item.woken.wait(lock, [&item] { return item.done; });
  return item.status;
}

// Those that found the last batch full form the next one, in their order.
void Batcher::form_next() {
  const auto next = waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(most_, waiting_.size()));
  forming_.assign(waiting_.begin(), next);
  waiting_.erase(waiting_.begin(), next);
  note_arrivals();
  if (forming_.empty()) return;
  forming_[0]->leads = true;
  forming_[0]->woken.notify_one();
}

Status Batcher::lead(std::unique_lock<std::mutex>& lock, const std::shared_ptr<SharedSession>& session) {
  lock.unlock();
  if (wait_ > 0 && !complete_.load())
    clock_.sleep_until(clock_.now() + wait_, [this] { return complete_.load(); });
  lock.lock();
  // While all runs are taken, more may join.
  run_ended_.wait(lock, [this] { return in_flight_ < most_in_flight_; });
  ++in_flight_;
  std::array<Item*, kMostItems> mine{};
  const std::size_t count = forming_.size();
  std::copy(forming_.begin(), forming_.end(), mine.begin());
  running_ += count;
  form_next();
  lock.unlock();

  const Status status = run_batch(session, {mine.data(), count});
  lock.lock();
  --in_flight_;
  running_ -= count;
  run_ended_.notify_one();
  for (std::size_t i = 0; i < count; ++i) {
    mine[i]->status = status;
    mine[i]->done = true;
    mine[i]->woken.notify_one();  // under the lock: its owner goes as soon as it may
  }
  return status;
}

Status Batcher::acquire(std::vector<Port>& ports, std::size_t count, std::span<Tensor> tensors) {
  for (std::size_t i = 0; i < ports.size(); ++i) {
    Tensor& tensor = tensors[i];
    tensor.buffer = ports[i].pool->acquire();
    if (!tensor.buffer) return failed("no room for a batch: earlier ones hang");
    tensor.type = ports[i].types[count];
    tensor.data = tensor.buffer.data();
    tensor.bytes = ports[i].item_bytes * count;
  }
  return {};
}

// The haste of one (a probe) must not end the run of another; 0: the session's own is the longest.
TimeNs Batcher::longest_timeout(Items items) {
  TimeNs longest = 0;
  for (const Item* item : items) {
    if (item->order.timeout == 0) return 0;
    longest = std::max(longest, item->order.timeout);
  }
  return longest;
}

Status Batcher::run_batch(const std::shared_ptr<SharedSession>& session, Items items) {
  if (items.size() == 1 && !pad_)
    return SharedSession::run_now(session, items[0]->inputs, items[0]->outputs, items[0]->order);
  const std::size_t count = pad_ ? most_ : items.size();
  std::array<Tensor, kMostTensors> in, out;
  SLUICE_RETURN_IF_ERROR(acquire(inputs_, count, in));
  SLUICE_RETURN_IF_ERROR(acquire(outputs_, count, out));
  std::array<const Tensor*, kMostTensors> in_pointers{};
  std::array<Tensor*, kMostTensors> out_pointers{};
  RunOrder order;
  for (const Item* item : items) {
    order.priority = item == items[0] ? item->order.priority : std::max(order.priority, item->order.priority);
    order.due = std::min(order.due, item->order.due);
  }
  order.timeout = longest_timeout(items);
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    in_pointers[i] = &in[i];
    for (std::size_t k = 0; k < count; ++k) {
      const Item& item = *items[std::min(k, items.size() - 1)];
      std::memcpy(in[i].data + k * inputs_[i].item_bytes, item.inputs[i]->data, inputs_[i].item_bytes);
    }
  }
  for (std::size_t i = 0; i < outputs_.size(); ++i) out_pointers[i] = &out[i];
  SLUICE_RETURN_IF_ERROR(SharedSession::run_now(session, {in_pointers.data(), inputs_.size()},
                                                {out_pointers.data(), outputs_.size()}, order));
  for (std::size_t i = 0; i < outputs_.size(); ++i)
    for (std::size_t k = 0; k < items.size(); ++k)
      std::memcpy(items[k]->outputs[i]->data, out[i].data + k * outputs_[i].item_bytes,
                  outputs_[i].item_bytes);
  return {};
}

}  // namespace sluice
