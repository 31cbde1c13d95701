// The selector of a real run: opens and measures what may run, then decides once a second in a thread of its
// own and switches nodes between two frames.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "framework/plan/plan.h"
#include "inference/model_user.h"
#include "inference/selection/selection.h"
#include "inference/services.h"
#include "inference/telemetry/telemetry.h"
#include "runtime/selection_replay.h"
#include "runtime/warm_up.h"

namespace sluice {

struct LiveSelectionSetup {
  const Plan* plan = nullptr;
  Clock* clock = nullptr;
  InferenceServices* services = nullptr;
  std::vector<Node*> nodes;                                  // by plan index; opened
  std::vector<double> source_rates;                          // by source; 0: unknown
  std::function<void(int choice, std::size_t route)> route;  // routes frames that are not routed yet
  TimeNs period = Selection::kPeriod;
  std::function<void(const std::string& line)> record;  // gets the lines of a recording; empty: none is made
  std::shared_ptr<const RecordedSelection> replay;      // decides as recorded there; null: for itself
};

// What stands in the setup outlives it. Thread-safe where nothing else is said.
class LiveSelection {
 public:
  // All warm-up measurements together.
  static constexpr TimeNs kWarmUp = from_s(5);

  // Null when the selector chooses for no node of the plan: such a run has no thread, meter or cost of it.
  // `make_telemetry` is called only when it does; it may give null: nothing is known of heat and power.
  static std::unique_ptr<LiveSelection> create(
      LiveSelectionSetup setup, const std::function<std::unique_ptr<Telemetry>()>& make_telemetry);
  ~LiveSelection();
  LiveSelection(const LiveSelection&) = delete;
  LiveSelection& operator=(const LiveSelection&) = delete;

  // Makes the sessions of all candidates, but for `fixed` without a ladder: there the next one is made when
  // what runs fails. kUnavailable under `on_fallback: error` alone; else what cannot be used is no candidate.
  Status open();
  // Measures every session within kWarmUp and makes the first choices. Before the first frame; `stopped` ends
  // it early. kInvalid: the recording to replay is of another pipeline.
  Status warm_up(const std::function<bool()>& stopped);
  // The thread, from the first frame to the last; the run started at `started`. `stop` waits for it, and may
  // be called again.
  void start(TimeNs started);
  void stop();

  // Somebody else chooses for all nodes of `model` from now on.
  void hold(std::string_view model);
  // Where frames of the model's own path run at that node of the plan; none: this does not choose for it.
  std::optional<std::string> backend_of(std::size_t plan_node);
  // Nodes of the model `name` run on these from now on, which were opened where their frames ran then; other
  // sessions of its own path are made anew, of the file `path`, when they are needed. False, and nothing has
  // changed: one of the nodes has moved to another backend since. Nodes that nobody chooses for are left out.
  struct Replacement {
    std::size_t plan_node = 0;
    LoadedModelPtr model;
  };
  bool replace(std::string_view name, const std::string& path, std::span<const Replacement> all);

 private:
  struct LiveNode {
    std::size_t plan_node = 0;
    int choice = -1;  // of the plan; -1: one route
    bool lazy = false;
    bool held = false;
    ModelUser* user = nullptr;
    std::vector<std::size_t> routes;     // by candidate
    std::vector<LoadedModelPtr> loaded;  // by candidate; null: no session
    SelectedNode what;                   // its candidates, until the selection has them
  };
  struct Unproven {
    std::size_t node, candidate;
  };
  // Chooses nothing, and runs on a session that others choose the mode of.
  struct Bystander {
    ModelUser* user = nullptr;
    std::string wanted, told;  // modes
  };
  struct Running {
    std::size_t node = 0;
    LoadedModelPtr model;
  };

  LiveSelection(LiveSelectionSetup setup, std::unique_ptr<Telemetry> telemetry);
  void add_node(std::size_t plan_node);
  Status open_node(LiveNode& node);
  Result<LoadedModelPtr> open_candidate(const LiveNode& node, const SelectorCandidate& candidate,
                                        std::size_t route) const;
  void refuse_shared_routes(LiveNode& node) const;
  static void refuse(LiveNode& node, std::size_t candidate, const std::string& why);
  LiveNode* chosen_for(std::size_t plan_node);
  void put_in(std::size_t n, const LoadedModelPtr& model);
  static bool has_modes_on(const LiveNode& node, const SessionHandle& session);
  bool share_modes(const LiveNode& a, const LiveNode& b) const;
  void note_shared_sessions();
  void note_bystander(std::size_t plan_node);
  void tell_bystanders(const SessionHandle& session, const std::string& mode, TimeNs now);
  void leave_to_bystanders(const SessionHandle& session, TimeNs now);
  void leave_all_to_bystanders(TimeNs now);
  void adopt(LiveNode& node, std::size_t candidate, const LoadedModelPtr& loaded);
  void measure_accuracy(TimeNs until, const std::function<bool()>& stopped);
  Result<LoadedModelPtr> reference_of(const LiveNode& node) const;
  std::vector<Unproven> measure_all(const std::function<bool()>& stopped);
  void say_blind();
  void first_choices(const std::vector<Unproven>& failed);

  void work();
  void take_turn(bool whole);
  TimeNs next_turn(TimeNs last) const;
  void follow(TimeNs now);
  void wake();
  void decide(TimeNs now);
  bool carry_out(const SelectionChange& change, TimeNs now);
  bool change_over(std::size_t n, std::size_t candidate, TimeNs now);
  void probe_one(TimeNs now);
  void probe(std::size_t n, std::size_t candidate, TimeNs now);
  std::vector<Running> running_on(const SessionHandle& session) const;
  bool works_in_another_mode(std::size_t n, std::size_t candidate) const;
  void set_modes_again(const SessionHandle& session, TimeNs now);
  void let_go(std::size_t n, std::size_t candidate);
  static void set_mode(const LoadedModel& model, const SelectorCandidate& candidate);
  const SelectorCandidate& candidate_of(std::size_t n, std::size_t c) const;
  Readings read(TimeNs now);

  const LiveSelectionSetup setup_;
  std::unique_ptr<Telemetry> telemetry_;
  std::unique_ptr<SelectionReplay> replay_;  // null: it decides for itself
  TimeNs started_ = 0;
  WarmUp measures_;
  std::mutex mutex_;  // guards what follows, while the thread runs
  std::vector<LiveNode> nodes_;
  std::vector<Bystander> bystanders_;
  std::unique_ptr<Selection> selection_;

  std::mutex wake_mutex_;  // guards what follows
  std::condition_variable wake_;
  bool due_ = false;
  bool failed_ = false;
  bool stopping_ = false;
  TimerId timer_ = 0;
  std::thread thread_;
};

}  // namespace sluice
