// What convolutions do behind their sums: + residual (may have fewer channels), the PRelu slope or an activation, one
// factor and one addend for all, zero beyond the last channel.
#define FINISH_ARGS BACK res, int res_groups, FLOATS slope, int act, float act_a, float act_b, float factor, float addend
#define FINISH res, res_groups, slope, act, act_a, act_b, factor, addend
#define FOUR(v) (float16)(v, v, v, v)

DEFINE_ACTIVATE(activate_any, float16)
// The same; the usual ones without a call.
ALWAYS float16 activate_pixels(float16 v, int op, float a, float b) {
  if (op == OP_NONE) return v;
  if (op == OP_RELU) return AT_LEAST(v, (float16)(0.0f));
  return activate_any(v, op, a, b);
}
// As it is where there is nothing to scale: the usual case.
ALWAYS float16 scaled(float16 v, float factor, float addend) {
  return factor == 1.0f && addend == 0.0f ? v : factor * v + addend;
}

// Of four pixels of a row, whose sums are `v`, the `left` first: those of channel group `g` from pixel `p` of `pixels`
// of image `n` on. Whole lines of a cache are read and written at once: the groups of a tensor often lie powers of two
// apart, where a cache keeps few of them together.
ALWAYS void finish(float16 v, int left, int g, int channels, int pixels, int p, int n, OUT y, FINISH_ARGS) {
  const int to = (n * ((channels + 3) / 4) + g) * pixels + p;
  if (g < res_groups) {
    const int from = (n * res_groups + g) * pixels + p;
    if (left > 3) {
      v += BACK16(res, from);
    } else {
      v.s0123 += BACK4(res, from);
      if (left > 1) v.s4567 += BACK4(res, from + 1);
      if (left > 2) v.s89ab += BACK4(res, from + 2);
    }
  }
  if (act == OP_PRELU)
    v = BELOW_ZERO(v, FOUR(FLOAT4(slope, g)) * v);
  else
    v = activate_pixels(v, act, act_a, act_b);
  v = scaled(v, factor, addend);
  if (g * 4 + 1 >= channels) v.s159d = (float4)(0.0f);
  if (g * 4 + 2 >= channels) v.s26ae = (float4)(0.0f);
  if (g * 4 + 3 >= channels) v.s37bf = (float4)(0.0f);
  if (left > 3) {
    STORE16(v, to, y);
    return;
  }
  STORE4(v.s0123, to, y);
  if (left > 1) STORE4(v.s4567, to + 1, y);
  if (left > 2) STORE4(v.s89ab, to + 2, y);
}
