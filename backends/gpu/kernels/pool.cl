// Pools on NC4HW4: 4 channels of 4 pixels of a row per work item.
// How many of the `count` taps from `first` on, `step` apart, lie before `end`.
static inline int taps_before(int first, int step, int count, int end) {
  if (first + (count - 1) * step < end) return count;
  return max(0, (end - first + step - 1) / step);
}
static inline float16 four_pixels(IN x, int at, int step) {
  if (step == 1) return LOAD16(x, at);
  return (float16)(LOAD4(x, at), LOAD4(x, at + step), LOAD4(x, at + 2 * step), LOAD4(x, at + 3 * step));
}
// mean: 0 maximum, 1 mean over what is inside, 2 mean that counts the padding (up to its end).
__kernel void pool(IN x, OUT y, int planes, int ih, int iw, int oh, int ow, int kh, int kw, int sh, int sw, int ph,
                   int pw, int dh, int dw, int mean, int end_y, int end_x) {
  const int tiles = (ow + 3) / 4;
  const int ox = (get_global_id(0) % tiles) * 4, oy = get_global_id(0) / tiles, plane = get_global_id(1);
  if (oy >= oh) return;
  const int y0 = oy * sh - ph, x0 = ox * sw - pw, left = ow - ox, to = (plane * oh + oy) * ow + ox;
  const int top = taps_before(y0, dh, kh, 0), bottom = taps_before(y0, dh, kh, ih);
  const int counted_rows = mean == 2 ? taps_before(y0, dh, kh, end_y) : bottom - top;
  if (left > 3 && x0 >= 0 && x0 + 3 * sw + (kw - 1) * dw < iw) {
    float16 v = (float16)(mean == 0 ? -INFINITY : 0.0f);
    for (int ky = top; ky < bottom; ++ky)
      for (int kx = 0; kx < kw; ++kx) {
        const float16 tap = four_pixels(x, (plane * ih + y0 + ky * dh) * iw + x0 + kx * dw, sw);
        v = mean == 0 ? LARGER(v, tap) : v + tap;
      }
    STORE16(mean == 0 ? v : v / (float)(counted_rows * kw), to, y);
    return;
  }
  for (int i = 0; i < min(4, left); ++i) {
    const int xi = x0 + i * sw, begin = taps_before(xi, dw, kw, 0), end = taps_before(xi, dw, kw, iw);
    const int counted = counted_rows * (mean == 2 ? taps_before(xi, dw, kw, end_x) : end - begin);
    float4 v = (float4)(mean == 0 ? -INFINITY : 0.0f);
    for (int ky = top; ky < bottom; ++ky)
      for (int kx = begin; kx < end; ++kx) {
        const float4 tap = LOAD4(x, (plane * ih + y0 + ky * dh) * iw + xi + kx * dw);
        v = mean == 0 ? LARGER(v, tap) : v + tap;
      }
    STORE4(mean == 0 ? v : v / (float)counted, to + i, y);
  }
}
__kernel void pool_global(IN x, OUT y, int planes, int pixels, int mean) {
  const int plane = get_global_id(0);
  if (plane >= planes) return;
  float4 best = LOAD4(x, plane * pixels), sum = best;
  for (int p = 1; p < pixels; ++p) {
    const float4 v = LOAD4(x, plane * pixels + p);
    best = LARGER(best, v);
    sum += v;
  }
  STORE4(mean == 0 ? best : sum / (float)pixels, plane, y);
}
