// `tile`: the sums of SLUICE_LANES output channels of a pixel, or as many weights. 24 of them by 4 pixels fill 12 of
// a CPU's 16 registers of 8 floats: sums enough to hide what an addition takes, each weight and input read once. 32 by 4
// are as many sums for CPUs with registers of 16 floats.
// Weights of many elements are stored as tensors are, others as float32.
#ifdef SLUICE_HALF_WEIGHTS
#define WEIGHTS __global const half* restrict
#define WEIGHT4 HALF4
#define WEIGHT8 HALF8
#define WEIGHT16 HALF16
#else
#define WEIGHTS FLOATS
#define WEIGHT4 FLOAT4
#define WEIGHT8 FLOAT8
#define WEIGHT16 FLOAT16
#endif
#if SLUICE_LANES == 24
typedef struct {
  float8 a, b, c;
} tile;
ALWAYS tile load_tile(WEIGHTS p, int i) {
  const tile v = {WEIGHT8(p, i * 6), WEIGHT8(p, i * 6 + 2), WEIGHT8(p, i * 6 + 4)};
  return v;
}
ALWAYS tile load_bias(FLOATS p, int i) {
  const tile v = {FLOAT8(p, i * 6), FLOAT8(p, i * 6 + 2), FLOAT8(p, i * 6 + 4)};
  return v;
}
ALWAYS void add(tile* sum, float x, tile w) {
  sum->a += x * w.a;
  sum->b += x * w.b;
  sum->c += x * w.c;
}
#define EACH_GROUP(do_group) \
  do_group(0, a.lo);         \
  do_group(1, a.hi);         \
  do_group(2, b.lo);         \
  do_group(3, b.hi);         \
  do_group(4, c.lo);         \
  do_group(5, c.hi)
#elif SLUICE_LANES == 32
typedef struct {
  float16 a, b;
} tile;
ALWAYS tile load_tile(WEIGHTS p, int i) {
  const tile v = {WEIGHT16(p, i * 8), WEIGHT16(p, i * 8 + 4)};
  return v;
}
ALWAYS tile load_bias(FLOATS p, int i) {
  const tile v = {FLOAT16(p, i * 8), FLOAT16(p, i * 8 + 4)};
  return v;
}
ALWAYS void add(tile* sum, float x, tile w) {
  sum->a += x * w.a;
  sum->b += x * w.b;
}
#define EACH_GROUP(do_group) \
  do_group(0, a.s0123);      \
  do_group(1, a.s4567);      \
  do_group(2, a.s89ab);      \
  do_group(3, a.scdef);      \
  do_group(4, b.s0123);      \
  do_group(5, b.s4567);      \
  do_group(6, b.s89ab);      \
  do_group(7, b.scdef)
#else
typedef vec tile;
ALWAYS void add(tile* sum, float x, tile w) { *sum += x * w; }
#if SLUICE_LANES == 16
#define load_tile(p, i) WEIGHT16((p), (i) * 4)
#define load_bias(p, i) FLOAT16((p), (i) * 4)
#define EACH_GROUP(do_group) \
  do_group(0, s0123);        \
  do_group(1, s4567);        \
  do_group(2, s89ab);        \
  do_group(3, scdef)
#elif SLUICE_LANES == 8
#define load_tile(p, i) WEIGHT8((p), (i) * 2)
#define load_bias(p, i) FLOAT8((p), (i) * 2)
#define EACH_GROUP(do_group) \
  do_group(0, lo);           \
  do_group(1, hi)
#else
#define load_tile(p, i) WEIGHT4((p), (i))
#define load_bias(p, i) FLOAT4((p), (i))
#define EACH_GROUP(do_group) do_group(0, xyzw)
#endif
#endif

// Four pixels of a tile, from pixel `p` of a row of which `left` remain; the first of its groups is `og`.
ALWAYS void finish_tiles(tile a0, tile a1, tile a2, tile a3, int left, int og, int oc, int pixels, int p, int n, OUT y,
                         FINISH_ARGS) {
#define FINISH_GROUP(i, part)  \
  if ((og + (i)) * 4 < oc)     \
  finish((float16)(a0.part, a1.part, a2.part, a3.part), left, og + (i), oc, pixels, p, n, y, FINISH)
  EACH_GROUP(FINISH_GROUP);
}

// One input channel of four pixels.
ALWAYS void step(tile* a0, tile* a1, tile* a2, tile* a3, float x0, float x1, float x2, float x3, tile w) {
  add(a0, x0, w);
  add(a1, x1, w);
  add(a2, x2, w);
  add(a3, x3, w);
}
