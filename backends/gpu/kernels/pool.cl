// Pools on NC4HW4: 4 channels per work item.
// mean: 0 maximum, 1 mean over what is inside, 2 mean that counts the padding (up to its end).
__kernel void pool(IN x, OUT y, int planes, int ih, int iw, int oh, int ow, int kh, int kw, int sh, int sw, int ph,
                   int pw, int dh, int dw, int mean, int end_y, int end_x) {
  const int p = get_global_id(0), plane = get_global_id(1);
  if (p >= oh * ow) return;
  const int oy = p / ow, ox = p % ow;
  float4 best = (float4)(-INFINITY), sum = (float4)(0.0f);
  int inside = 0, counted = 0;
  for (int ky = 0; ky < kh; ++ky) {
    const int iy = oy * sh - ph + ky * dh;
    for (int kx = 0; kx < kw; ++kx) {
      const int ix = ox * sw - pw + kx * dw;
      if (iy < end_y && ix < end_x) ++counted;
      if (iy < 0 || iy >= ih || ix < 0 || ix >= iw) continue;
      const float4 v = LOAD4(x, (plane * ih + iy) * iw + ix);
      best = fmax(best, v);
      sum += v;
      ++inside;
    }
  }
  STORE4(mean == 0 ? best : sum / (float)(mean == 1 ? inside : counted), plane * oh * ow + p, y);
}
__kernel void pool_global(IN x, OUT y, int planes, int pixels, int mean) {
  const int plane = get_global_id(0);
  if (plane >= planes) return;
  float4 best = LOAD4(x, plane * pixels), sum = best;
  for (int p = 1; p < pixels; ++p) {
    const float4 v = LOAD4(x, plane * pixels + p);
    best = fmax(best, v);
    sum += v;
  }
  STORE4(mean == 0 ? best : sum / (float)pixels, plane, y);
}
