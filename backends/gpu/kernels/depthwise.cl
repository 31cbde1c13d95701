// Depthwise convolutions on NC4HW4: 4 channels of 4 pixels of a row per work item.
__kernel void depthwise(IN x, FLOATS w, FLOATS bias, OUT y, FINISH_ARGS, int channels, int ih, int iw, int oh, int ow, int kh,
                        int kw, int sh, int sw, int ph, int pw, int dh, int dw) {
  const int tiles = (ow + 3) / 4;
  const int ox = (get_global_id(0) % tiles) * 4, oy = get_global_id(0) / tiles, g = get_global_id(1),
            n = get_global_id(2);
  if (oy >= oh) return;
  const int plane = (n * ((channels + 3) / 4) + g) * ih;
  const float16 sum = add_window(FOUR(FLOAT4(bias, g)), x, w, g * kh * kw, plane, oy * sh - ph, ox * sw - pw, ih, iw, kh,
                                 kw, sw, dh, dw);
  finish(sum, ow - ox, g, channels, oh * ow, oy * ow + ox, n, y, FINISH);
}

// 3 x 3, stride 1, no dilation: `rows` rows per work item, whose weights stay in registers.
__kernel void depthwise3(IN x, FLOATS w, FLOATS bias, OUT y, FINISH_ARGS, int channels, int ih, int iw, int oh, int ow, int ph,
                         int pw, int rows) {
  const int tiles = (ow + 3) / 4;
  const int ox = (get_global_id(0) % tiles) * 4, first = get_global_id(0) / tiles * rows, g = get_global_id(1),
            n = get_global_id(2);
  const int plane = (n * ((channels + 3) / 4) + g) * ih, end = min(first + rows, oh);
  THREE_WEIGHTS(w, g * 9);
  const float16 start = FOUR(FLOAT4(bias, g));
  for (int oy = first; oy < end; ++oy) {
    float16 sum = start;
    ADD_THREE_BY_THREE(sum, x, plane, oy - ph, ox - pw, ih, iw);
    finish(sum, ow - ox, g, channels, oh * ow, oy * ow + ox, n, y, FINISH);
  }
}
