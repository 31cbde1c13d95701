// One pixel of conv_transpose.
static inline tile transposed(tile sum, IN x, WEIGHTS w, int wi, int first, int in_groups, int oy, int ox, int ih, int iw, int kh,
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
__kernel void conv_transpose(IN x, WEIGHTS w, FLOATS bias, OUT y, FINISH_ARGS, __global const int* restrict bands,
                             int all_in_groups, int ih, int iw, int oc, int oh, int ow, int kh, int kw, int sh, int sw,
                             int ph, int pw, int dh, int dw) {
  const int tiles = (ow + 3) / 4;
  const int ox = (get_global_id(0) % tiles) * 4, oy = get_global_id(0) / tiles, ov = get_global_id(1),
            n = get_global_id(2);
  if (oy >= oh) return;
  const int first = n * all_in_groups + bands[3 * ov], in_groups = bands[3 * ov + 1], wi = bands[3 * ov + 2];
  const tile b = load_bias(bias, ov);
  const tile a0 = transposed(b, x, w, wi, first, in_groups, oy, ox, ih, iw, kh, kw, sh, sw, ph, pw, dh, dw);
  const tile a1 = transposed(b, x, w, wi, first, in_groups, oy, ox + 1, ih, iw, kh, kw, sh, sw, ph, pw, dh, dw);
  const tile a2 = transposed(b, x, w, wi, first, in_groups, oy, ox + 2, ih, iw, kh, kw, sh, sw, ph, pw, dh, dw);
  const tile a3 = transposed(b, x, w, wi, first, in_groups, oy, ox + 3, ih, iw, kh, kw, sh, sw, ph, pw, dh, dw);
  finish_tiles(a0, a1, a2, a3, ow - ox, ov * GROUPS, oc, oh * ow, oy * ow + ox, n, y, FINISH);
}
