// Any kernel size, stride, dilation, padding. `zeros`: at least 16 zero elements.
__kernel void conv(IN x, WEIGHTS w, FLOATS bias, OUT y, FINISH_ARGS, IN zeros,
                   __global const int* restrict bands, int all_in_groups, int ih, int iw, int oc, int oh, int ow,
                   int kh, int kw, int sh, int sw, int ph, int pw, int dh, int dw) {
  const int tiles = (ow + 3) / 4;
  const int ox = (get_global_id(0) % tiles) * 4, oy = get_global_id(0) / tiles, ov = get_global_id(1),
            n = get_global_id(2);
  if (oy >= oh) return;
  const int first = n * all_in_groups + bands[3 * ov], in_groups = bands[3 * ov + 1];
  const int start = ox * sw - pw;
  const bool inside = start >= 0 && start + 3 * sw + (kw - 1) * dw < iw;  // all four pixels, all taps
  tile a0 = load_bias(bias, ov), a1 = a0, a2 = a0, a3 = a0;
  int wi = bands[3 * ov + 2];
  for (int c = 0; c < in_groups; ++c)
    for (int ky = 0; ky < kh; ++ky) {
      const int iy = oy * sh - ph + ky * dh;
      if (iy < 0 || iy >= ih) {
        wi += 4 * kw;
        continue;
      }
      __global const in_t* row = x + ((first + c) * ih + iy) * iw * 4;
      if (inside) {
        __global const in_t *x0 = row + start * 4, *x1 = x0 + sw * 4, *x2 = x1 + sw * 4, *x3 = x2 + sw * 4;
        for (int kx = 0; kx < kw; ++kx, wi += 4) {
          STEPS(wi);
          x0 += dw * 4;
          x1 += dw * 4;
          x2 += dw * 4;
          x3 += dw * 4;
        }
        continue;
      }
      for (int kx = 0; kx < kw; ++kx, wi += 4) {
        const int i0 = ox * sw - pw + kx * dw, i1 = i0 + sw, i2 = i1 + sw, i3 = i2 + sw;
        __global const in_t* x0 = i0 >= 0 && i0 < iw ? row + i0 * 4 : zeros;
        __global const in_t* x1 = i1 >= 0 && i1 < iw ? row + i1 * 4 : zeros;
        __global const in_t* x2 = i2 >= 0 && i2 < iw ? row + i2 * 4 : zeros;
        __global const in_t* x3 = i3 >= 0 && i3 < iw ? row + i3 * 4 : zeros;
        STEPS(wi);
      }
    }
  finish_tiles(a0, a1, a2, a3, ow - ox, ov * GROUPS, oc, oh * ow, oy * ow + ox, n, y, FINISH);
}
