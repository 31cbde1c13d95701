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

// 1 x 1, stride 1: a matrix product over the pixels.
__kernel void conv1x1(IN x, IN w, IN bias, OUT y, FINISH_ARGS, __global const int* restrict bands, int all_in_groups,
                      int oc, int pixels) {
  const int p = get_global_id(0) * 4, ov = get_global_id(1), n = get_global_id(2);
  if (p >= pixels) return;
  const int first = bands[3 * ov], in_groups = bands[3 * ov + 1], left = pixels - p;
  tile a0 = load_tile(bias, ov), a1 = a0, a2 = a0, a3 = a0;
  __global const store_t* x0 = x + ((n * all_in_groups + first) * pixels + p) * 4;
  __global const store_t* x1 = x0 + min(1, left - 1) * 4;
  __global const store_t* x2 = x0 + min(2, left - 1) * 4;
  __global const store_t* x3 = x0 + min(3, left - 1) * 4;
  int wi = bands[3 * ov + 2];
  for (int c = 0; c < in_groups; ++c, wi += 4) {
    STEPS(wi);
    x0 += pixels * 4;
    x1 += pixels * 4;
    x2 += pixels * 4;
    x3 += pixels * 4;
  }
  finish_tiles(a0, a1, a2, a3, left, ov * GROUPS, oc, pixels, p, n, y, FINISH);
}

// Any kernel size, stride, dilation, padding. `zeros`: at least 16 zero elements.
__kernel void conv(IN x, IN w, IN bias, OUT y, FINISH_ARGS, IN zeros,
                   __global const int* restrict bands, int all_in_groups, int ih, int iw, int oc, int oh, int ow,
                   int kh, int kw, int sh, int sw, int ph, int pw, int dh, int dw) {
  const int tiles = (ow + 3) / 4;
  const int ox = (get_global_id(0) % tiles) * 4, oy = get_global_id(0) / tiles, ov = get_global_id(1),
            n = get_global_id(2);
  if (oy >= oh) return;
  const int first = n * all_in_groups + bands[3 * ov], in_groups = bands[3 * ov + 1];
  const int start = ox * sw - pw;
  const bool inside = start >= 0 && start + 3 * sw + (kw - 1) * dw < iw;  // all four pixels, all taps
  tile a0 = load_tile(bias, ov), a1 = a0, a2 = a0, a3 = a0;
  int wi = bands[3 * ov + 2];
  for (int c = 0; c < in_groups; ++c)
    for (int ky = 0; ky < kh; ++ky) {
      const int iy = oy * sh - ph + ky * dh;
      if (iy < 0 || iy >= ih) {
        wi += 4 * kw;
        continue;
      }
      __global const store_t* row = x + ((first + c) * ih + iy) * iw * 4;
      if (inside) {
        __global const store_t *x0 = row + start * 4, *x1 = x0 + sw * 4, *x2 = x1 + sw * 4, *x3 = x2 + sw * 4;
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
        __global const store_t* x0 = i0 >= 0 && i0 < iw ? row + i0 * 4 : zeros;
        __global const store_t* x1 = i1 >= 0 && i1 < iw ? row + i1 * 4 : zeros;
        __global const store_t* x2 = i2 >= 0 && i2 < iw ? row + i2 * 4 : zeros;
        __global const store_t* x3 = i3 >= 0 && i3 < iw ? row + i3 * 4 : zeros;
        STEPS(wi);
      }
    }
  finish_tiles(a0, a1, a2, a3, ow - ox, ov * GROUPS, oc, oh * ow, oy * ow + ox, n, y, FINISH);
}

// The first layer: at most 4 input channels, read where they lie (plain, by strides), no repacking pass.
// Weights [group of lanes][ky][kx][input channel][lanes].
__kernel void conv_first(IN x, IN w, IN bias, OUT y, FINISH_ARGS, IN zeros, int ic, int stride_n, int stride_c,
                         int stride_h, int stride_w, int ih, int iw, int oc, int oh, int ow, int kh, int kw, int sh,
                         int sw, int ph, int pw, int dh, int dw) {
  const int tiles = (ow + 3) / 4;
  const int ox = (get_global_id(0) % tiles) * 4, oy = get_global_id(0) / tiles, ov = get_global_id(1),
            n = get_global_id(2);
  if (oy >= oh) return;
  tile a0 = load_tile(bias, ov), a1 = a0, a2 = a0, a3 = a0;
  const int start = ox * sw - pw;
  const bool inside = start >= 0 && start + 3 * sw + (kw - 1) * dw < iw;
  int wi = ov * kh * kw * ic;
  for (int ky = 0; ky < kh; ++ky) {
    const int iy = oy * sh - ph + ky * dh;
    if (iy < 0 || iy >= ih) {
      wi += kw * ic;
      continue;
    }
    __global const store_t* row = x + n * stride_n + iy * stride_h;
    if (inside) {
      __global const store_t* x0 = row + start * stride_w;
      __global const store_t *x1 = x0 + sw * stride_w, *x2 = x1 + sw * stride_w, *x3 = x2 + sw * stride_w;
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
      __global const store_t* x0 = m0 ? row + i0 * stride_w : zeros;
      __global const store_t* x1 = m1 ? row + i1 * stride_w : zeros;
      __global const store_t* x2 = m2 ? row + i2 * stride_w : zeros;
      __global const store_t* x3 = m3 ? row + i3 * stride_w : zeros;
      const int s0 = m0 ? stride_c : 0, s1 = m1 ? stride_c : 0, s2 = m2 ? stride_c : 0, s3 = m3 ? stride_c : 0;
      for (int c = 0; c < ic; ++c) {
        step(&a0, &a1, &a2, &a3, LOAD1(x0, c * s0), LOAD1(x1, c * s1), LOAD1(x2, c * s2), LOAD1(x3, c * s3),
             load_tile(w, wi + c));
      }
    }
  }
  finish_tiles(a0, a1, a2, a3, ow - ox, ov * GROUPS, oc, oh * ow, oy * ow + ox, n, y, FINISH);
}

// One pixel of conv_transpose.
inline tile transposed(tile sum, IN x, IN w, int wi, int first, int in_groups, int oy, int ox, int ih, int iw, int kh,
                       int kw, int sh, int sw, int ph, int pw, int dh, int dw) {
  for (int ky = 0; ky < kh; ++ky) {
    const int ty = oy + ph - ky * dh;
    if (ty < 0 || ty % sh != 0 || ty / sh >= ih) continue;
    for (int kx = 0; kx < kw; ++kx) {
      const int tx = ox + pw - kx * dw;
      if (tx < 0 || tx % sw != 0 || tx / sw >= iw) continue;
      for (int c = 0; c < in_groups; ++c) {
        const float4 v = LOAD4(x, ((first + c) * ih + ty / sh) * iw + tx / sw);
        const int at = wi + ((c * kh + ky) * kw + kx) * 4;
        add(&sum, v.x, load_tile(w, at));
        add(&sum, v.y, load_tile(w, at + 1));
        add(&sum, v.z, load_tile(w, at + 2));
        add(&sum, v.w, load_tile(w, at + 3));
      }
    }
  }
  return sum;
}

// Transposed, gathered; weights as of `conv`.
__kernel void conv_transpose(IN x, IN w, IN bias, OUT y, FINISH_ARGS, __global const int* restrict bands,
                             int all_in_groups, int ih, int iw, int oc, int oh, int ow, int kh, int kw, int sh, int sw,
                             int ph, int pw, int dh, int dw) {
  const int tiles = (ow + 3) / 4;
  const int ox = (get_global_id(0) % tiles) * 4, oy = get_global_id(0) / tiles, ov = get_global_id(1),
            n = get_global_id(2);
  if (oy >= oh) return;
  const int first = n * all_in_groups + bands[3 * ov], in_groups = bands[3 * ov + 1], wi = bands[3 * ov + 2];
  const tile b = load_tile(bias, ov);
  const tile a0 = transposed(b, x, w, wi, first, in_groups, oy, ox, ih, iw, kh, kw, sh, sw, ph, pw, dh, dw);
  const tile a1 = transposed(b, x, w, wi, first, in_groups, oy, ox + 1, ih, iw, kh, kw, sh, sw, ph, pw, dh, dw);
  const tile a2 = transposed(b, x, w, wi, first, in_groups, oy, ox + 2, ih, iw, kh, kw, sh, sw, ph, pw, dh, dw);
  const tile a3 = transposed(b, x, w, wi, first, in_groups, oy, ox + 3, ih, iw, kh, kw, sh, sw, ph, pw, dh, dw);
  finish_tiles(a0, a1, a2, a3, ow - ox, ov * GROUPS, oc, oh * ow, oy * ow + ox, n, y, FINISH);
}
