// The sessions of a run: nodes that ask for the same model, variant, backend and options share one.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "framework/core/clock.h"
#include "framework/core/status.h"
#include "inference/inference.h"
#include "inference/lane.h"

namespace sluice {

class Batcher;

// A session with its run slots, the lane it waits in when its backend waits, and its batcher when runs are
// gathered. Held by shared_ptr: by the nodes that use it and by every run in flight, so that a replaced one
// lives as long as its last frame. Thread-safe.
class SharedSession {
 public:
  // `lane`: where its runs wait for their turn; null for a backend that computes.
  SharedSession(std::unique_ptr<Session> session, std::shared_ptr<Lane> lane, const SessionRequest& request,
                Clock& clock);
  ~SharedSession();
  SharedSession(const SharedSession&) = delete;
  SharedSession& operator=(const SharedSession&) = delete;

  const Session& session() const { return *session_; }
  const ModelSignature& signature() const { return session_->signature(); }
  const SessionRequest& request() const { return request_; }
  int batch() const { return request_.batch; }
  // For all who share it, from the next run on. kUnavailable: its backend has no such thing.
  Status set_performance_mode(const std::string& mode);
  // Node `node` uses the session from now on and has at most `runs` runs at once (0: not known), or it uses
  // it no more: a batch that holds the runs of all its nodes waits for no more. Any thread.
  void expect_runs_of(const std::string& node, int runs);
  void expect_none_of(const std::string& node);
  // Runs that hung and were given up.
  std::uint64_t abandoned() const { return abandoned_.load(std::memory_order_relaxed); }

  // One run of `self`: tensors in the signature's order, outputs written in place. Blocks the caller (a
  // worker computes, a lane thread waits). kTimeout: given up as hung, its tensors stay pinned until the run
  // returns. kFailed otherwise.
  static Status run(const std::shared_ptr<SharedSession>& self, std::span<const Tensor* const> inputs,
                    std::span<Tensor* const> outputs, RunOrder order = {});

 private:
  friend class Batcher;
  // As `run`, without gathering.
  static Status run_now(const std::shared_ptr<SharedSession>& self, std::span<const Tensor* const> inputs,
                        std::span<Tensor* const> outputs, RunOrder order);
  void tell_batcher();
  Result<int> take_slot();
  void give_slot(int slot);
  void lose_slot();          // its run hangs
  void come_back(int slot);  // the hung run ended after all; from its own thread

  const SessionRequest request_;
  Clock& clock_;
  const TimeNs timeout_;
  std::unique_ptr<Session> session_;
  std::mutex mutex_;
  std::condition_variable slot_free_;
  std::vector<int> free_slots_;
  int lost_slots_ = 0;
  std::atomic<std::uint64_t> abandoned_{0};
  std::map<std::string, int> runs_at_once_;     // by node; of those that gather
  std::vector<std::shared_ptr<LaneJob>> jobs_;  // by slot; empty for backends that compute
  std::shared_ptr<Lane> lane_;
  std::unique_ptr<Batcher> batcher_;
};

using SessionHandle = std::shared_ptr<SharedSession>;

// Destroys sessions in a thread of its own: tearing down an accelerator takes long and must not block a
// worker.
class Reaper {
 public:
  Reaper();
  ~Reaper();
  void take(std::unique_ptr<SharedSession> session);
  // Destroys what is left and ends the thread; later ones are destroyed where they are let go.
  void close();

 private:
  void work();
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::unique_ptr<SharedSession>> dead_;
  bool closed_ = false;
  std::thread thread_;
};

// Opens and shares sessions. Thread-safe; a backend opens one after the other and waits for no other backend.
// `clock` outlives it and its sessions.
class SessionTable {
 public:
  explicit SessionTable(Clock& clock) : clock_(clock) {}
  // Waits for the destruction of all sessions that nobody holds, not for runs that hang.
  ~SessionTable();

  // The session for this request, new or shared. kInvalid when nodes that share it disagree on `batch`; else
  // what the backend said.
  Result<SessionHandle> open(Backend& backend, SessionRequest request);
  // The next request for this session gets a new one; those who hold it keep it.
  void forget(const SessionHandle& session);
  // How many sessions are alive.
  std::size_t size();

 private:
  Result<std::string> key_of(const SessionRequest& request);
  std::mutex& turn_of(const std::string& backend);
  SessionHandle find(const std::string& key);
  SessionHandle add(const std::string& key, std::unique_ptr<Session> session, const SessionRequest& request);
  std::shared_ptr<Lane> lane_for(const Session& session);

  Clock& clock_;
  std::atomic<std::uint64_t> generation_{0};
  std::mutex mutex_;  // guards what follows; never held while a backend opens a session
  std::map<std::string, std::mutex, std::less<>> turns_;  // to open, by backend
  std::map<std::string, std::weak_ptr<SharedSession>> sessions_;
  std::map<std::string, std::weak_ptr<Lane>, std::less<>> lanes_;  // by accelerator
  std::shared_ptr<Reaper> reaper_;
};

}  // namespace sluice
