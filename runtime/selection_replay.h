// Takes a Selection through a recording: what it was told then it is told again, so that it decides the same.
// Private to runtime.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/selection_record.h"

namespace sluice {

// Not thread-safe.
class SelectionReplay {
 public:
  explicit SelectionReplay(std::shared_ptr<const RecordedSelection> recorded)
      : of_(std::move(recorded)), recorded_(*of_) {}

  // Gives `nodes` the candidates of the recording, with what was measured of them then. kInvalid: it was made
  // with other nodes, candidates or policies than these.
  Status adopt(std::vector<SelectedNode>& nodes) const;

  bool over() const { return next_ == recorded_.steps.size(); }
  // The next step belongs to the choices before the first frame.
  bool before_start() const { return next_ < recorded_.before_start; }
  // When the next step came, since the recorded run's start. Precondition: not over().
  TimeNs next_due() const { return since_start(recorded_.steps[next_].event.at); }
  TimeNs since_start(TimeNs recorded) const { return recorded - recorded_.start; }
  // The recorded run's start, on the recording's clock: what is recorded of the replay is on that, too.
  TimeNs start() const { return recorded_.start; }
  // Precondition: not over().
  const SelectionEvent& next() const { return recorded_.steps[next_].event; }
  // Takes the next step. Precondition: not over().
  std::vector<SelectionChange> step(Selection& selection);
  // What there is to say since the last call, each once: another decision than the recorded one, the end.
  std::vector<std::string> take_notices();

 private:
  const std::shared_ptr<const RecordedSelection> of_;
  const RecordedSelection& recorded_;
  std::size_t next_ = 0;
  bool differs_ = false, told_ = false;
  std::vector<std::string> notices_;
};

}  // namespace sluice
