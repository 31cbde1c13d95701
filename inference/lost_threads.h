// Threads that were given up in an accelerator's library (lane.h). While there is one, the process must not
// run its exit handlers: the library crashes when what it stands on is taken down under a run.
#pragma once

namespace sluice {

// Any thread.
int lost_threads();
void count_lost_thread(int change);  // 1: given up, -1: it came back and holds nothing any more

}  // namespace sluice
