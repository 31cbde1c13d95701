// Convolutions on NC4HW4. A work item makes SLUICE_LANES output channels of 4 pixels of a row; weights are packed
// [group of lanes][input group][ky][kx][4 input channels][lanes], bias and slope [group of lanes][lanes].
// bands, per group of lanes: the first input group that it reads, how many, and where its weights begin (in `tile`).

#define STEP(i, w) step(&a0, &a1, &a2, &a3, LOAD1(x0, i), LOAD1(x1, i), LOAD1(x2, i), LOAD1(x3, i), w)

// Four input channels, whose weights begin at `at`.
#define STEPS(at)                \
  STEP(0, load_tile(w, at));       \
  STEP(1, load_tile(w, (at) + 1)); \
  STEP(2, load_tile(w, (at) + 2)); \
  STEP(3, load_tile(w, (at) + 3))
