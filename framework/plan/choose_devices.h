#pragma once

namespace sluice::planning {

struct Draft;

// A pass of the stage 'file', once all options are read and all links known: nodes with `device: auto` before
// infer nodes on the gpu go there. No errors.
void choose_devices(Draft& draft);

}  // namespace sluice::planning
