// 1 x 1, stride 1: a matrix product over the pixels.
__kernel void conv1x1(IN x, WEIGHTS w, FLOATS bias, OUT y, FINISH_ARGS, __global const int* restrict bands, int all_in_groups,
                      int oc, int pixels) {
  const int p = get_global_id(0) * 4, ov = get_global_id(1), n = get_global_id(2);
  if (p >= pixels) return;
  const int first = bands[3 * ov], in_groups = bands[3 * ov + 1], left = pixels - p;
  tile a0 = load_bias(bias, ov), a1 = a0, a2 = a0, a3 = a0;
  __global const in_t* x0 = x + ((n * all_in_groups + first) * pixels + p) * 4;
  __global const in_t* x1 = x0 + min(1, left - 1) * 4;
  __global const in_t* x2 = x0 + min(2, left - 1) * 4;
  __global const in_t* x3 = x0 + min(3, left - 1) * 4;
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
