// The first layer: at most 4 input channels, read where they lie (plain, by strides), no repacking pass.
// Weights [group of lanes][ky][kx][input channel][lanes].
__kernel void conv_first(IN x, WEIGHTS w, FLOATS bias, OUT y, FINISH_ARGS, IN zeros, int ic, int stride_n,
                         int stride_c, int stride_h, int stride_w, int ih, int iw, int oc, int oh, int ow, int kh, int kw, int sh,
                         int sw, int ph, int pw, int dh, int dw) {
  const int tiles = (ow + 3) / 4;
  const int ox = (get_global_id(0) % tiles) * 4, oy = get_global_id(0) / tiles, ov = get_global_id(1),
            n = get_global_id(2);
  if (oy >= oh) return;
  tile a0 = load_bias(bias, ov), a1 = a0, a2 = a0, a3 = a0;
  const int start = ox * sw - pw;
  const bool inside = start >= 0 && start + 3 * sw + (kw - 1) * dw < iw;
  int wi = ov * kh * kw * ic;
  for (int ky = 0; ky < kh; ++ky) {
    const int iy = oy * sh - ph + ky * dh;
    if (iy < 0 || iy >= ih) {
      wi += kw * ic;
      continue;
    }
    __global const in_t* row = x + n * stride_n + iy * stride_h;
    if (inside) {
      __global const in_t* x0 = row + start * stride_w;
      __global const in_t *x1 = x0 + sw * stride_w, *x2 = x1 + sw * stride_w, *x3 = x2 + sw * stride_w;
      for (int kx = 0; kx < kw; ++kx, wi += ic) {
        STEP(0, load_tile(w, wi));
        if (ic > 1) STEP(stride_c, load_tile(w, wi + 1));
        if (ic > 2) STEP(2 * stride_c, load_tile(w, wi + 2));
        if (ic > 3) STEP(3 * stride_c, load_tile(w, wi + 3));
        x0 += dw * stride_w;
        x1 += dw * stride_w;
        x2 += dw * stride_w;
        x3 += dw * stride_w;
      }
      continue;
    }
    for (int kx = 0; kx < kw; ++kx, wi += ic) {
      const int i0 = ox * sw - pw + kx * dw, i1 = i0 + sw, i2 = i1 + sw, i3 = i2 + sw;
      const bool m0 = i0 >= 0 && i0 < iw, m1 = i1 >= 0 && i1 < iw, m2 = i2 >= 0 && i2 < iw, m3 = i3 >= 0 && i3 < iw;
      __global const in_t* x0 = m0 ? row + i0 * stride_w : zeros;
      __global const in_t* x1 = m1 ? row + i1 * stride_w : zeros;
      __global const in_t* x2 = m2 ? row + i2 * stride_w : zeros;
      __global const in_t* x3 = m3 ? row + i3 * stride_w : zeros;
      const int s0 = m0 ? stride_c : 0, s1 = m1 ? stride_c : 0, s2 = m2 ? stride_c : 0, s3 = m3 ? stride_c : 0;
      for (int c = 0; c < ic; ++c) {
        step(&a0, &a1, &a2, &a3, LOAD1(x0, c * s0), LOAD1(x1, c * s1), LOAD1(x2, c * s2), LOAD1(x3, c * s3),
             load_tile(w, wi + c));
      }
    }
  }
  finish_tiles(a0, a1, a2, a3, ow - ox, ov * GROUPS, oc, oh * ow, oy * ow + ox, n, y, FINISH);
}
