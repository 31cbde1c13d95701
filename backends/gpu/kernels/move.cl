// Copies between places of tensors.

// Where work item `i` reads (x) and writes (y). m: 8 dimensions, 8 strides of x, 8 of y, offset of x, offset of y.
ALWAYS int2 places_of(__global const int* restrict m, int i) {
  int rest = i, from = m[24], to = m[25];
  for (int d = 7; d >= 0 && rest > 0; --d) {
    const int k = rest % m[d];
    rest /= m[d];
    from += k * m[8 + d];
    to += k * m[16 + d];
  }
  return (int2)(from, to);
}
__kernel void place(IN x, OUT y, __global const int* restrict m, int n) {
  const int i = get_global_id(0);
  if (i >= n) return;
  const int2 at = places_of(m, i);
  STORE1(LOAD1(x, at.x), at.y, y);
}
// The same in groups of four: the innermost stride of both is 1 and everything is a multiple of 4.
__kernel void place4(IN x, OUT y, __global const int* restrict m, int n) {
  const int i = get_global_id(0);
  if (i >= n) return;
  const int2 at = places_of(m, i);
  STORE4(LOAD4(x, at.x), at.y, y);
}
// The same, 16 elements each; strides and offsets still count groups of 4.
__kernel void place16(IN x, OUT y, __global const int* restrict m, int n) {
  const int i = get_global_id(0);
  if (i >= n) return;
  const int2 at = places_of(m, i);
  STORE16(LOAD16(x, at.x), at.y, y);
}

// Channels of NC4HW4 by a table: output channel c is input channel table[c]; -1 is zero.
__kernel void pick_channels(IN x, OUT y, __global const int* restrict table, int pixels, int in_groups,
                            int out_groups) {
  const int p = get_global_id(0), g = get_global_id(1), n = get_global_id(2);
  if (p >= pixels) return;
  float lanes[4];
  for (int k = 0; k < 4; ++k) {
    const int c = table[g * 4 + k];
    lanes[k] = c < 0 ? 0.0f : LOAD1(x, ((n * in_groups + c / 4) * pixels + p) * 4 + c % 4);
  }
  STORE4(vload4(0, lanes), (n * out_groups + g) * pixels + p, y);
}

// m: 8 output dimensions, 8 input dimensions, 8 pads before. mode 0 constant, 1 edge, 2 reflect, 3 wrap.
__kernel void pad(IN x, OUT y, __global const int* restrict m, int n, int mode, float value) {
  const int i = get_global_id(0);
  if (i >= n) return;
  int rest = i, from = 0, stride = 1;
  bool inside = true;
  for (int d = 7; d >= 0; --d) {
    const int size = m[8 + d];
    int k = rest % m[d] - m[16 + d];
    rest /= m[d];
    if (mode == 0) inside = inside && k >= 0 && k < size;
    if (mode == 1) k = clamp(k, 0, size - 1);
    if (mode == 2 && size > 1) {
      const int period = 2 * (size - 1);
      k = ((k % period) + period) % period;
      if (k >= size) k = period - k;
    }
    if (mode == 2 && size == 1) k = 0;
    if (mode == 3) k = ((k % size) + size) % size;
    from += k * stride;
    stride *= size;
  }
  STORE1(inside ? LOAD1(x, from) : value, i, y);
}

// One axis resampled by a table of `taps` (index, bits of the weight) per output position; index -1 gives
// `outside`. View: [outer][length][inner].
__kernel void resample(IN x, OUT y, __global const int2* restrict table, int taps, int in_length, int out_length,
                       int inner, int n, float outside) {
  const int i = get_global_id(0);
  if (i >= n) return;
  const int k = i % inner, o = (i / inner) % out_length, b = i / inner / out_length;
  float v = 0.0f;
  for (int t = 0; t < taps; ++t) {
    const int2 tap = table[o * taps + t];
    v += as_float(tap.y) * (tap.x < 0 ? outside : LOAD1(x, (b * in_length + tap.x) * inner + k));
  }
  STORE1(v, i, y);
}
// The same, `inner` in groups of four; no outside.
__kernel void resample4(IN x, OUT y, __global const int2* restrict table, int taps, int in_length, int out_length,
                        int inner, int n, float outside) {
  const int i = get_global_id(0);
  if (i >= n) return;
  const int k = i % inner, o = (i / inner) % out_length, b = i / inner / out_length;
  float4 v = (float4)(0.0f);
  for (int t = 0; t < taps; ++t) {
    const int2 tap = table[o * taps + t];
    v += as_float(tap.y) * (tap.x < 0 ? (float4)(outside) : LOAD4(x, (b * in_length + tap.x) * inner + k));
  }
  STORE4(v, i, y);
}
