#pragma once

namespace sluice::planning {

struct Draft;

// Once all types are known: nodes with `device: auto` before infer nodes on the gpu go there. No errors.
void choose_devices(Draft& draft);

}  // namespace sluice::planning
