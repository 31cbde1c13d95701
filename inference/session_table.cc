#include "inference/session_table.h"

#include <algorithm>

#include "inference/batcher.h"
#include "inference/checked_model.h"
#include "inference/performance_modes.h"

namespace sluice {
namespace {

constexpr double kDefaultTimeoutMs = 10'000;

TimeNs timeout_of(const OptionMap& options) {
  const Options typed(options);
  return from_ms(typed.has("run_timeout_ms") ? typed.number("run_timeout_ms") : kDefaultTimeoutMs);
}

void append(const OptionValue& value, std::string& text) {
  if (const auto* flag = std::get_if<bool>(&value.data)) text += *flag ? "true" : "false";
  if (const auto* whole = std::get_if<std::int64_t>(&value.data)) text += std::to_string(*whole);
  if (const auto* number = std::get_if<double>(&value.data)) text += std::to_string(*number);
  if (const auto* words = std::get_if<std::string>(&value.data)) text += '"' + *words + '"';
  if (const auto* list = std::get_if<OptionList>(&value.data)) {
    for (const OptionValue& item : *list) append(item, text += '[');
  }
  if (const auto* map = std::get_if<OptionMap>(&value.data)) {
    for (const auto& [name, item] : *map) append(item, text += '{' + name + ':');
  }
  text += ';';
}

std::string batch_text(const SessionRequest& request) {
  return "{max: " + std::to_string(request.batch) +
         ", wait_ms: " + std::to_string(static_cast<long>(request.batch_wait_ms)) + "}";
}

}  // namespace

SharedSession::SharedSession(std::unique_ptr<Session> session, std::shared_ptr<Lane> lane,
                             const SessionRequest& request, Clock& clock)
    : request_(request),
      clock_(clock),
      timeout_(timeout_of(request.options)),
      session_(std::move(session)),
      lane_(std::move(lane)) {
  const int slots = std::max(1, session_->slots());
  for (int slot = slots - 1; slot >= 0; --slot) free_slots_.push_back(slot);
  if (lane_) {
    for (int slot = 0; slot < slots; ++slot) jobs_.push_back(std::make_shared<LaneJob>(*session_, slot));
    lane_->expect(jobs_.size());
  }
  if (request.batch > 1 && !clock.manual()) batcher_ = std::make_unique<Batcher>(*this, clock);
}

// A lane of its own ends before the session that it runs.
SharedSession::~SharedSession() { lane_.reset(); }

Result<int> SharedSession::take_slot() {
  std::unique_lock lock(mutex_);
  const auto all_lost = [this] { return lost_slots_ >= session_->slots(); };
  slot_free_.wait(lock, [&] { return !free_slots_.empty() || all_lost(); });
  if (free_slots_.empty())
    return timed_out("all " + std::to_string(session_->slots()) + " run slots of backend '" +
                     std::string(session_->backend()) + "' hang");
  const int slot = free_slots_.back();
  free_slots_.pop_back();
  return slot;
}

Status SharedSession::set_performance_mode(const std::string& mode) {
  auto* modes = dynamic_cast<PerformanceModes*>(session_.get());
  if (modes) return modes->set_performance_mode(mode);
  return unavailable("backend '" + std::string(session_->backend()) + "' has no performance modes");
}

void SharedSession::expect_runs_of(const std::string& node, int runs) {
  std::lock_guard lock(mutex_);
  runs_at_once_[node] = runs;
  tell_batcher();
}

void SharedSession::expect_none_of(const std::string& node) {
  std::lock_guard lock(mutex_);
  runs_at_once_.erase(node);
  tell_batcher();
}

// Under the lock.
void SharedSession::tell_batcher() {
  if (!batcher_) return;
  std::size_t all = 0;
  for (const auto& [node, runs] : runs_at_once_) {
    if (runs <= 0) return batcher_->expect(0);
    all += static_cast<std::size_t>(runs);
  }
  batcher_->expect(all);
}

void SharedSession::give_slot(int slot) {
  {
    std::lock_guard lock(mutex_);
    free_slots_.push_back(slot);
  }
  slot_free_.notify_one();
}

void SharedSession::lose_slot() {
  abandoned_.fetch_add(1, std::memory_order_relaxed);
  {
    std::lock_guard lock(mutex_);
    ++lost_slots_;
  }
  slot_free_.notify_all();
}

void SharedSession::come_back(int slot) {
  {
    std::lock_guard lock(mutex_);
    --lost_slots_;
  }
  give_slot(slot);
}

Status SharedSession::run(const SessionHandle& self, std::span<const Tensor* const> inputs,
                          std::span<Tensor* const> outputs, RunOrder order) {
  if (self->batcher_) return self->batcher_->run(self, inputs, outputs, order);
  return run_now(self, inputs, outputs, order);
}

Status SharedSession::run_now(const SessionHandle& self, std::span<const Tensor* const> inputs,
                              std::span<Tensor* const> outputs, RunOrder order) {
  SLUICE_ASSIGN(const int slot, self->take_slot());
  if (!self->lane_) {
    const TimeNs start = order.ran ? self->clock_.now() : 0;
    Status status = self->session_->run(slot, inputs, outputs);
    if (order.ran) *order.ran = self->clock_.now() - start;
    self->give_slot(slot);
    return status;
  }
  const std::shared_ptr<LaneJob>& job = self->jobs_[static_cast<std::size_t>(slot)];
  job->set(inputs, outputs, order);
  // One pointer to capture: the callback must not allocate.
  const struct {
    const SessionHandle& session;
    int slot;
  } run{self, slot};
  bool given_up = false;
  Status status = self->lane_->run(
      job, order.timeout > 0 ? std::min(order.timeout, self->timeout_) : self->timeout_,
      [&run]() -> std::function<void()> {
        return [session = run.session, slot = run.slot] { session->come_back(slot); };
      },
      given_up);
  if (order.ran && !given_up) *order.ran = self->clock_.now() - job->started();
  if (given_up)
    self->lose_slot();
  else
    self->give_slot(slot);
  return status;
}

Reaper::Reaper() : thread_([this] { work(); }) {}

Reaper::~Reaper() { close(); }

void Reaper::take(std::unique_ptr<SharedSession> session) {
  {
    std::lock_guard lock(mutex_);
    if (!closed_) dead_.push_back(std::move(session));
  }
  wake_.notify_one();
}

void Reaper::close() {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Reaper::work() {
  std::unique_lock lock(mutex_);
  while (!closed_ || !dead_.empty()) {
    wake_.wait(lock, [this] { return closed_ || !dead_.empty(); });
    std::vector<std::unique_ptr<SharedSession>> batch = std::move(dead_);
    dead_.clear();
    lock.unlock();
    batch.clear();
    lock.lock();
  }
}

SessionTable::~SessionTable() {
  if (reaper_) reaper_->close();
}

Result<std::string> SessionTable::key_of(const SessionRequest& request) {
  SLUICE_ASSIGN(std::string key, hash_of(request.model));
  key += "|" + request.model.variant + "|" + request.backend + "|";
  for (const auto& [name, value] : request.options) append(value, key += name + "=");
  for (const auto& [name, size] : request.model.dims) key += "|" + name + "=" + std::to_string(size);
  for (const std::string& name : request.keep_float) key += "|float " + name;
  return key;
}

std::mutex& SessionTable::turn_of(const std::string& backend) {
  std::lock_guard lock(mutex_);
  return turns_[backend];
}

SessionHandle SessionTable::find(const std::string& key) {
  std::lock_guard lock(mutex_);
  const auto found = sessions_.find(key);
  return found == sessions_.end() ? nullptr : found->second.lock();
}

SessionHandle SessionTable::add(const std::string& key, std::unique_ptr<Session> session,
                                const SessionRequest& request) {
  std::lock_guard lock(mutex_);
  if (!reaper_) reaper_ = std::make_shared<Reaper>();
  std::shared_ptr<Lane> lane = lane_for(*session);
  SessionHandle handle(
      new SharedSession(std::move(session), std::move(lane), request, clock_),
      [reaper = reaper_](SharedSession* dead) { reaper->take(std::unique_ptr<SharedSession>(dead)); });
  sessions_[key] = handle;
  return handle;
}

Result<SessionHandle> SessionTable::open(Backend& backend, SessionRequest request) {
  SLUICE_ASSIGN(const std::string key, key_of(request));
  // Two requests with one key are for one backend: the second finds what the first has made.
  std::lock_guard turn(turn_of(request.backend));
  if (SessionHandle shared = find(key)) {
    const SessionRequest& first = shared->request();
    if (first.batch == request.batch && first.batch_wait_ms == request.batch_wait_ms) return shared;
    return invalid("nodes '" + first.node + "' and '" + request.node + "' share a session of " +
                   describe(request.model) + ", but one has batch: " + batch_text(first) + " and the other " +
                   batch_text(request) + "; write the same in both");
  }
  request.generation = ++generation_;
  SLUICE_ASSIGN(std::unique_ptr<Session> session, backend.open(request));
  return add(key, std::move(session), request);
}

void SessionTable::forget(const SessionHandle& session) {
  std::lock_guard lock(mutex_);
  std::erase_if(sessions_, [&](const auto& entry) {
    return !entry.second.owner_before(session) && !session.owner_before(entry.second);
  });
}

// Under the lock.
std::shared_ptr<Lane> SessionTable::lane_for(const Session& session) {
  if (session.kind() != RunKind::kWaits || clock_.manual()) return nullptr;
  const Accelerator accelerator = session.accelerator();
  const auto make = [&] { return std::make_shared<Lane>(clock_, accelerator.runs_at_once); };
  if (accelerator.name.empty()) return make();
  std::weak_ptr<Lane>& shared = lanes_[std::string(accelerator.name)];
  std::shared_ptr<Lane> lane = shared.lock();
  if (!lane) shared = lane = make();
  return lane;
}

std::size_t SessionTable::size() {
  std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(
      std::ranges::count_if(sessions_, [](const auto& entry) { return !entry.second.expired(); }));
}

}  // namespace sluice
