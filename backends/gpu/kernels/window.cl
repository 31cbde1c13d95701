// Sums of depthwise convolutions: 4 channels of 4 pixels of a row, that is the float16 ([pixel][channel]).
// Weights [group][ky][kx][4].
ALWAYS float16 four_pixels(IN x, int at, int step) {
  if (step == 1) return LOAD16(x, at);
  return (float16)(LOAD4(x, at), LOAD4(x, at + step), LOAD4(x, at + 2 * step), LOAD4(x, at + 3 * step));
}

#define ROW_OF_THREE(sum, x, at, w0, w1, w2)                                        \
  ((sum) + LOAD16(x, at) * FOUR(w0) + LOAD16(x, (at) + 1) * FOUR(w1) + LOAD16(x, (at) + 2) * FOUR(w2))

// A row of three taps, stride 1: `at` is where column `ix` of `iw` lies.
ALWAYS float16 add_three(float16 sum, IN x, int at, int ix, int iw, float4 w0, float4 w1, float4 w2) {
  if (ix >= 0 && ix + 6 <= iw) return ROW_OF_THREE(sum, x, at, w0, w1, w2);
  const float4 zero = (float4)(0.0f);
  const float4 v0 = ix >= 0 && ix < iw ? LOAD4(x, at) : zero;
  const float4 v1 = ix + 1 >= 0 && ix + 1 < iw ? LOAD4(x, at + 1) : zero;
  const float4 v2 = ix + 2 >= 0 && ix + 2 < iw ? LOAD4(x, at + 2) : zero;
  const float4 v3 = ix + 3 < iw ? LOAD4(x, at + 3) : zero;
  const float4 v4 = ix + 4 < iw ? LOAD4(x, at + 4) : zero;
  const float4 v5 = ix + 5 < iw ? LOAD4(x, at + 5) : zero;
  sum += (float16)(v0, v1, v2, v3) * FOUR(w0);
  sum += (float16)(v1, v2, v3, v4) * FOUR(w1);
  return sum + (float16)(v2, v3, v4, v5) * FOUR(w2);
}

// 3 x 3, stride 1, no dilation; (iy, ix) is the first pixel's first tap, w0 to w8 its weights. `plane`: rows before
// the first row of the channels.
#define THREE_WEIGHTS(w, k)                                                                                      \
  const float4 w0 = FLOAT4(w, k), w1 = FLOAT4(w, (k) + 1), w2 = FLOAT4(w, (k) + 2), w3 = FLOAT4(w, (k) + 3),          \
               w4 = FLOAT4(w, (k) + 4), w5 = FLOAT4(w, (k) + 5), w6 = FLOAT4(w, (k) + 6), w7 = FLOAT4(w, (k) + 7),    \
               w8 = FLOAT4(w, (k) + 8)
#define ADD_THREE_BY_THREE(sum, x, plane, iy, ix, ih, iw)                                                        \
  do {                                                                                                           \
    const int at_ = ((plane) + (iy)) * (iw) + (ix);                                                              \
    if ((iy) >= 0 && (iy) + 3 <= (ih) && (ix) >= 0 && (ix) + 6 <= (iw)) {                                        \
      sum = ROW_OF_THREE(sum, x, at_, w0, w1, w2);                                                               \
      sum = ROW_OF_THREE(sum, x, at_ + (iw), w3, w4, w5);                                                        \
      sum = ROW_OF_THREE(sum, x, at_ + 2 * (iw), w6, w7, w8);                                                    \
      break;                                                                                                     \
    }                                                                                                            \
    if ((iy) >= 0 && (iy) < (ih)) sum = add_three(sum, x, at_, ix, iw, w0, w1, w2);                              \
    if ((iy) + 1 >= 0 && (iy) + 1 < (ih)) sum = add_three(sum, x, at_ + (iw), ix, iw, w3, w4, w5);               \
    if ((iy) + 2 >= 0 && (iy) + 2 < (ih)) sum = add_three(sum, x, at_ + 2 * (iw), ix, iw, w6, w7, w8);           \
  } while (0)

// Any kernel size, stride, dilation; of the four pixels those outside of `ow` hold anything.
ALWAYS float16 add_window(float16 sum, IN x, FLOATS w, int k, int plane, int iy, int ix, int ih, int iw, int kh, int kw,
                          int sw, int dh, int dw) {
  const bool inside = ix >= 0 && ix + 3 * sw + (kw - 1) * dw < iw;
  for (int ky = 0; ky < kh; ++ky, iy += dh) {
    if (iy < 0 || iy >= ih) continue;
    const int row = (plane + iy) * iw;
    for (int kx = 0; kx < kw; ++kx) {
      const float4 tap = FLOAT4(w, k + ky * kw + kx);
      const int i0 = ix + kx * dw, i1 = i0 + sw, i2 = i1 + sw, i3 = i2 + sw;
      if (inside) {
        sum += four_pixels(x, row + i0, sw) * FOUR(tap);
        continue;
      }
      if (i0 >= 0 && i0 < iw) sum.s0123 += LOAD4(x, row + i0) * tap;
      if (i1 >= 0 && i1 < iw) sum.s4567 += LOAD4(x, row + i1) * tap;
      if (i2 >= 0 && i2 < iw) sum.s89ab += LOAD4(x, row + i2) * tap;
      if (i3 >= 0 && i3 < iw) sum.scdef += LOAD4(x, row + i3) * tap;
    }
  }
  return sum;
}
