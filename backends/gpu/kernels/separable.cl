// A depthwise convolution and the 1 x 1 behind it in one launch: what lies between them stays in local memory, [tile of
// 4 pixels][4 channels][pixel][channel of 4]. A group makes `shared` tiles with all their output channels; its work items
// share that by tiles (axis 0) and by channels (axis 1). On a GPU each makes one tile and SLUICE_LANES output channels;
// on a CPU one makes all, and reads along rows. Weights as of depthwise and conv1x1.
typedef struct {
  int x, y;  // x: in tiles
} place;
ALWAYS place move_on(place at, int steps, int tiles) {
  at.x += steps;
  for (; at.x >= tiles; at.x -= tiles) ++at.y;
  return at;
}

#define FINISH_TAPS(v) scaled(activate_pixels(v, taps_act, taps_a, taps_b), taps_factor, taps_addend)

__kernel void separable(IN x, FLOATS taps, FLOATS taps_bias, int taps_act, float taps_a, float taps_b,
                        float taps_factor, float taps_addend, WEIGHTS w, FLOATS bias, OUT y,
                        FINISH_ARGS, __local float* between, int shared, int channels, int ih, int iw, int oc, int oh,
                        int ow, int kh, int kw, int sh, int sw, int ph, int pw, int dh, int dw) {
  const int tiles = (ow + 3) / 4, groups = (channels + 3) / 4, vectors = (oc + SLUICE_LANES - 1) / SLUICE_LANES,
            n = get_global_id(2), step_t = get_local_size(0), step_c = get_local_size(1);
  const bool three = kh == 3 && kw == 3 && sw == 1 && dh == 1 && dw == 1;
  const int begin = get_group_id(0) * shared + get_local_id(0);
  const place first = {begin % tiles, begin / tiles};
  for (int g = get_local_id(1); g < groups; g += step_c) {
    const int plane = (n * groups + g) * ih;
    const float16 start = FOUR(FLOAT4(taps_bias, g));
    place at = first;
    if (three) {
      THREE_WEIGHTS(taps, g * 9);
      for (int t = get_local_id(0); t < shared && at.y < oh; t += step_t, at = move_on(at, step_t, tiles)) {
        float16 sum = start;
        ADD_THREE_BY_THREE(sum, x, plane, at.y * sh - ph, at.x * 4 - pw, ih, iw);
        vstore16(FINISH_TAPS(sum), t * groups + g, between);
      }
      continue;
    }
    for (int t = get_local_id(0); t < shared && at.y < oh; t += step_t, at = move_on(at, step_t, tiles)) {
      const float16 sum = add_window(start, x, taps, g * kh * kw, plane, at.y * sh - ph, at.x * 4 * sw - pw, ih, iw, kh,
                                     kw, sw, dh, dw);
      vstore16(FINISH_TAPS(sum), t * groups + g, between);
    }
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int v = get_local_id(1); v < vectors; v += step_c) {
    place at = first;
    for (int t = get_local_id(0); t < shared && at.y < oh; t += step_t, at = move_on(at, step_t, tiles)) {
      __local const float* in = between + t * groups * 16;
      tile a0 = load_bias(bias, v), a1 = a0, a2 = a0, a3 = a0;
      int wi = v * groups * 4;
      for (int g = 0; g < groups; ++g, wi += 4, in += 16) {
        step(&a0, &a1, &a2, &a3, in[0], in[4], in[8], in[12], load_tile(w, wi));
        step(&a0, &a1, &a2, &a3, in[1], in[5], in[9], in[13], load_tile(w, wi + 1));
        step(&a0, &a1, &a2, &a3, in[2], in[6], in[10], in[14], load_tile(w, wi + 2));
        step(&a0, &a1, &a2, &a3, in[3], in[7], in[11], in[15], load_tile(w, wi + 3));
      }
      finish_tiles(a0, a1, a2, a3, ow - at.x * 4, v * GROUPS, oc, oh * ow, at.y * ow + at.x * 4, n, y, FINISH);
    }
  }
}
