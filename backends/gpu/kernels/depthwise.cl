// Depthwise convolutions on NC4HW4, 4 channels per work item; weights [group][ky][kx][4].
ALWAYS float4 activate4(float4 v, int op, float a, float b) {
#if SLUICE_LANES == 16
  if (op == OP_NONE) return v;
  if (op == OP_RELU) return fmax(v, (float4)(0.0f));
  return activate((float16)(v, v, v, v), op, a, b).s0123;
#else
  return activate_most(v, op, a, b);
#endif
}
ALWAYS void finish(float4 v, int g, int channels, int pixels, int p, int n, OUT y, IN res, int res_groups, IN slope,
                   int act, float a, float b) {
  const int groups = (channels + 3) / 4;
  if (g < res_groups) v += LOAD4(res, (n * res_groups + g) * pixels + p);
  v = act == OP_PRELU ? fmax(v, (float4)(0.0f)) + LOAD4(slope, g) * fmin(v, (float4)(0.0f))
                      : activate4(v, act, a, b);
  if (g * 4 + 1 >= channels) v.y = 0.0f;
  if (g * 4 + 2 >= channels) v.z = 0.0f;
  if (g * 4 + 3 >= channels) v.w = 0.0f;
  STORE4(v, (n * groups + g) * pixels + p, y);
}
#if SLUICE_LANES == 16
// Four pixels that lie together.
ALWAYS void finish_four(float16 v, int g, int channels, int pixels, int p, int n, OUT y, IN res, int res_groups,
                        IN slope, int act, float a, float b) {
  const int groups = (channels + 3) / 4;
  if (g < res_groups) v += LOAD16(res, (n * res_groups + g) * pixels + p);
  if (act == OP_PRELU) {
    const float4 s = LOAD4(slope, g);
    v = fmax(v, (float16)(0.0f)) + (float16)(s, s, s, s) * fmin(v, (float16)(0.0f));
  } else {
    v = activate_most(v, act, a, b);
  }
  if (g * 4 + 1 >= channels) v.s159d = (float4)(0.0f);
  if (g * 4 + 2 >= channels) v.s26ae = (float4)(0.0f);
  if (g * 4 + 3 >= channels) v.s37bf = (float4)(0.0f);
  STORE16(v, (n * groups + g) * pixels + p, y);
}
#endif
#define FINISH_ARGS IN res, int res_groups, IN slope, int act, float act_a, float act_b
#define FINISH res, res_groups, slope, act, act_a, act_b
// The `left` of four pixels of a row from `p` on.
#if SLUICE_LANES == 16
#define FINISH_WHOLE(a0, a1, a2, a3) \
  if (left > 3) finish_four((float16)(a0, a1, a2, a3), g, channels, oh * ow, p, n, y, FINISH); else
#else
#define FINISH_WHOLE(a0, a1, a2, a3)
#endif
#define FINISH_ROW(a0, a1, a2, a3)                                       \
  FINISH_WHOLE(a0, a1, a2, a3) {                                         \
    finish(a0, g, channels, oh * ow, p, n, y, FINISH);                   \
    if (left > 1) finish(a1, g, channels, oh * ow, p + 1, n, y, FINISH); \
    if (left > 2) finish(a2, g, channels, oh * ow, p + 2, n, y, FINISH); \
    if (left > 3) finish(a3, g, channels, oh * ow, p + 3, n, y, FINISH); \
  }

// Any kernel size, stride, dilation, padding: 4 pixels of a row.
__kernel void depthwise(IN x, IN w, IN bias, OUT y, FINISH_ARGS, int channels, int ih, int iw, int oh, int ow, int kh,
                        int kw, int sh, int sw, int ph, int pw, int dh, int dw) {
  const int tiles = (ow + 3) / 4;
  const int ox = (get_global_id(0) % tiles) * 4, oy = get_global_id(0) / tiles, g = get_global_id(1),
            n = get_global_id(2);
  if (oy >= oh) return;
  const int plane = (n * ((channels + 3) / 4) + g) * ih, start = ox * sw - pw, left = ow - ox, p = oy * ow + ox;
  const bool inside = start >= 0 && start + 3 * sw + (kw - 1) * dw < iw;
  float4 a0 = LOAD4(bias, g), a1 = a0, a2 = a0, a3 = a0;
  for (int ky = 0; ky < kh; ++ky) {
    const int iy = oy * sh - ph + ky * dh;
    if (iy < 0 || iy >= ih) continue;
    const int row = (plane + iy) * iw;
    for (int kx = 0; kx < kw; ++kx) {
      const int i0 = start + kx * dw, i1 = i0 + sw, i2 = i1 + sw, i3 = i2 + sw;
      const float4 k = LOAD4(w, (g * kh + ky) * kw + kx);
      if (inside) {
        a0 += LOAD4(x, row + i0) * k;
        a1 += LOAD4(x, row + i1) * k;
        a2 += LOAD4(x, row + i2) * k;
        a3 += LOAD4(x, row + i3) * k;
        continue;
      }
      if (i0 >= 0 && i0 < iw) a0 += LOAD4(x, row + i0) * k;
      if (i1 >= 0 && i1 < iw) a1 += LOAD4(x, row + i1) * k;
      if (i2 >= 0 && i2 < iw) a2 += LOAD4(x, row + i2) * k;
      if (i3 >= 0 && i3 < iw) a3 += LOAD4(x, row + i3) * k;
    }
  }
  FINISH_ROW(a0, a1, a2, a3)
}

// 3 x 3, stride 1, no dilation: 4 pixels of a row (the wide set: of four rows), whose inputs stay in registers.
#if SLUICE_LANES == 16
#define FOUR(v) (float16)(v, v, v, v)
// What the three taps of a row see of the columns `ix` to `ix` + 5, of which the first lies at `at`.
ALWAYS void windows(IN x, int at, int ix, int iw, float16* x0, float16* x1, float16* x2) {
  if (ix >= 0 && ix + 6 <= iw) {
    *x0 = LOAD16(x, at);
    *x1 = LOAD16(x, at + 1);
    *x2 = LOAD16(x, at + 2);
    return;
  }
  const float4 zero = (float4)(0.0f);
  const float4 v0 = ix >= 0 && ix < iw ? LOAD4(x, at) : zero;
  const float4 v1 = ix + 1 >= 0 && ix + 1 < iw ? LOAD4(x, at + 1) : zero;
  const float4 v2 = ix + 2 >= 0 && ix + 2 < iw ? LOAD4(x, at + 2) : zero;
  const float4 v3 = ix + 3 < iw ? LOAD4(x, at + 3) : zero;
  const float4 v4 = ix + 4 < iw ? LOAD4(x, at + 4) : zero;
  const float4 v5 = ix + 5 < iw ? LOAD4(x, at + 5) : zero;
  *x0 = (float16)(v0, v1, v2, v3);
  *x1 = (float16)(v1, v2, v3, v4);
  *x2 = (float16)(v2, v3, v4, v5);
}
__kernel void depthwise3(IN x, IN w, IN bias, OUT y, FINISH_ARGS, int channels, int ih, int iw, int oh, int ow, int ph,
                         int pw) {
  const int tiles = (ow + 3) / 4;
  const int ox = (get_global_id(0) % tiles) * 4, oy = get_global_id(0) / tiles * DEPTHWISE_ROWS, g = get_global_id(1),
            n = get_global_id(2);
  if (oy >= oh) return;
  const int plane = (n * ((channels + 3) / 4) + g) * ih, ix = ox - pw, left = ow - ox, k = g * 9;
  const float16 w0 = FOUR(LOAD4(w, k)), w1 = FOUR(LOAD4(w, k + 1)), w2 = FOUR(LOAD4(w, k + 2)),
                w3 = FOUR(LOAD4(w, k + 3)), w4 = FOUR(LOAD4(w, k + 4)), w5 = FOUR(LOAD4(w, k + 5)),
                w6 = FOUR(LOAD4(w, k + 6)), w7 = FOUR(LOAD4(w, k + 7)), w8 = FOUR(LOAD4(w, k + 8));
  // Sums of the output rows that input row `r` is the last, the middle and the first of.
  float16 a, b = FOUR(LOAD4(bias, g)), c = b;
  const float16 start = b;
  const int rows = min(DEPTHWISE_ROWS, oh - oy);
  for (int r = 0; r < rows + 2; ++r) {
    const int iy = oy - ph + r;
    a = b;
    b = c;
    c = start;
    if (iy >= 0 && iy < ih) {
      float16 x0, x1, x2;
      windows(x, (plane + iy) * iw + ix, ix, iw, &x0, &x1, &x2);
      a += x0 * w6;
      a += x1 * w7;
      a += x2 * w8;
      b += x0 * w3;
      b += x1 * w4;
      b += x2 * w5;
      c += x0 * w0;
      c += x1 * w1;
      c += x2 * w2;
    }
    if (r < 2) continue;
    const int p = (oy + r - 2) * ow + ox;
    FINISH_ROW(a.s0123, a.s4567, a.s89ab, a.scdef)
  }
}
#else
__kernel void depthwise3(IN x, IN w, IN bias, OUT y, FINISH_ARGS, int channels, int ih, int iw, int oh, int ow, int ph,
                         int pw) {
  const int tiles = (ow + 3) / 4;
  const int ox = (get_global_id(0) % tiles) * 4, oy = get_global_id(0) / tiles, g = get_global_id(1),
            n = get_global_id(2);
  if (oy >= oh) return;
  const int plane = (n * ((channels + 3) / 4) + g) * ih, ix = ox - pw, left = ow - ox, p = oy * ow + ox;
  float4 a0 = LOAD4(bias, g), a1 = a0, a2 = a0, a3 = a0;
  const float4 zero = (float4)(0.0f);
  for (int ky = 0; ky < 3; ++ky) {
    const int iy = oy - ph + ky;
    if (iy < 0 || iy >= ih) continue;
    const int at = (plane + iy) * iw + ix;
    const float4 v0 = ix >= 0 && ix < iw ? LOAD4(x, at) : zero;
    const float4 v1 = ix + 1 >= 0 && ix + 1 < iw ? LOAD4(x, at + 1) : zero;
    const float4 v2 = ix + 2 >= 0 && ix + 2 < iw ? LOAD4(x, at + 2) : zero;
    const float4 v3 = ix + 3 < iw ? LOAD4(x, at + 3) : zero;
    const float4 v4 = ix + 4 < iw ? LOAD4(x, at + 4) : zero;
    const float4 v5 = ix + 5 < iw ? LOAD4(x, at + 5) : zero;
    const int k = (g * 3 + ky) * 3;
    const float4 w0 = LOAD4(w, k), w1 = LOAD4(w, k + 1), w2 = LOAD4(w, k + 2);
    a0 += v0 * w0 + v1 * w1 + v2 * w2;
    a1 += v1 * w0 + v2 * w1 + v3 * w2;
    a2 += v2 * w0 + v3 * w1 + v4 * w2;
    a3 += v3 * w0 + v4 * w1 + v5 * w2;
  }
  FINISH_ROW(a0, a1, a2, a3)
}
#endif
