// The selector in a simulated run: the objects of a real one, told at each second of simulated time. Private
// to runtime.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "inference/selection/selection.h"
#include "runtime/selection_replay.h"
#include "simulation/simulated_run.h"

namespace sluice {

class SimulatedSelection {
 public:
  // Null when no infer node of the plan leaves where it starts. `run` outlives it. `replay`: decides as
  // recorded there; null: for itself. kInvalid: the recording is of another pipeline.
  static Result<std::unique_ptr<SimulatedSelection>> create(
      SimulatedRun& run, const std::shared_ptr<const RecordedSelection>& replay = nullptr);
  // From now on `line` gets the lines of a recording, but for its start and end. Before the first period.
  void record(std::string_view device, const std::function<void(const std::string&)>& line);

  // The start of what is recorded, on its clock.
  TimeNs start() const { return replay_ ? replay_->start() : run_.now(); }

  // Ends a control period: chooses for the frames that start from now on, then measures a candidate that
  // wants it. The first call, before the run, makes the first choices.
  void on_period(TimeNs now, const Readings& readings);
  // What there is to warn of at the node, after the first choices; empty: nothing.
  std::string warning(std::size_t infer) const;
  // A run was set off; one that fails is answered at once.
  void on_run(std::size_t infer, const InferChoice& choice, TimeNs took, const Status& status);

 private:
  SimulatedSelection(SimulatedRun& run, std::vector<SelectedNode> nodes, std::vector<std::size_t> infer);
  void follow();
  void follow_from_next();
  void follow_failure(std::size_t node);
  void follow_one();
  void carry_out(const std::vector<SelectionChange>& changes);
  void probe_one(TimeNs now);
  InferChoice choice_of(std::size_t node, std::size_t candidate) const;

  SimulatedRun& run_;
  const std::vector<std::size_t> infer_;  // by node of the selection: index into SimulatedRun::infer()
  std::vector<int> node_;                 // the other way; -1: not selected for
  Selection selection_;
  Readings readings_;
  std::unique_ptr<SelectionReplay> replay_;  // null: it decides for itself
  bool following_ = false;                   // the replay has begun
  std::uint64_t followed_ = 0;               // steps of it
};

}  // namespace sluice
