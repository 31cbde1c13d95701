// A picture to a tensor in one pass (contract section 2, Pixels): per cell of the grid its colours are
// sampled bilinearly, converted, normalised, quantised and stored. Numbers: picture_numbers.h.

// Samples of a plane between two rows and two columns; a tap is (first sample, bits of the second's share).
ALWAYS float sample(__global const uchar* p, int row_bytes, int step, int2 along, int2 across) {
  const float x = as_float(along.y), y = as_float(across.y);
  const int at = across.x * row_bytes + along.x * step;
  const int right = x > 0.0f ? step : 0;
  const int down = y > 0.0f ? row_bytes : 0;
  const float upper = mix((float)p[at], (float)p[at + right], x);
  const float lower = mix((float)p[at + down], (float)p[at + down + right], x);
  return mix(upper, lower, y);
}

ALWAYS void put(float v, __global const float* f, __global uchar* out, int i, int type) {
  v = v * f[ELEMENT_SCALE] + f[ELEMENT_BIAS];
  if (type == TYPE_FLOAT32) {
    ((__global float*)out)[i] = v;
    return;
  }
  if (type == TYPE_FLOAT16) {
    vstore_half_rte(v, i, (__global half*)out);
    return;
  }
  const int q = (int)rint(fmin(fmax(v, f[ELEMENT_LOW]), f[ELEMENT_HIGH])) + (int)f[ELEMENT_ZERO];
  switch (type) {
    case TYPE_UINT8: out[i] = q; break;
    case TYPE_INT8: ((__global char*)out)[i] = q; break;
    case TYPE_UINT16: ((__global ushort*)out)[i] = q; break;
    case TYPE_INT16: ((__global short*)out)[i] = q; break;
  }
}

__kernel void picture(__global const uchar* plane0, __global const uchar* plane1, __global const uchar* plane2,
                      __global const int2* restrict taps, __global const int* restrict n,
                      __global const float* restrict f, __global uchar* restrict out) {
  const int x = get_global_id(0), y = get_global_id(1);
  const int width = n[GRID_WIDTH], height = n[GRID_HEIGHT], channels = n[GRID_CHANNELS];
  if (x >= width || y >= height) return;
  const int column = x - n[PICTURE_LEFT], row = y - n[PICTURE_TOP];
  const bool inside = column >= 0 && column < n[PICTURE_COLUMNS] && row >= 0 && row < n[PICTURE_ROWS];
  float s[3] = {0.0f, 0.0f, 0.0f};
  for (int c = 0; inside && c < n[COMPONENTS]; ++c) {
    __global const int* of = n + NUMBERS_COMMON + c * NUMBERS_COMPONENT;
    const int along = n[PICTURE_TURNED] ? row : column, across = n[PICTURE_TURNED] ? column : row;
    __global const uchar* plane = of[SAMPLE_PLANE] == 0 ? plane0 : of[SAMPLE_PLANE] == 1 ? plane1 : plane2;
    s[c] = sample(plane + of[SAMPLE_OFFSET], of[SAMPLE_ROW], of[SAMPLE_STEP], taps[of[TAPS_ALONG] + along],
                  taps[of[TAPS_ACROSS] + across]);
  }
  for (int c = 0; c < channels; ++c) {
    __global const float* g = f + FACTORS_COMMON + c * FACTORS_CHANNEL;
    const float v = g[0] * s[0] + g[1] * s[1] + g[2] * s[2] + g[3];
    const float pixel = inside ? fmin(fmax(v, 0.0f), 255.0f) : f[PAD_VALUE];
    const int i = n[GRID_INTERLEAVED] ? (y * width + x) * channels + c : (c * height + y) * width + x;
    put(pixel, g, out, i, n[ELEMENT_TYPE]);
  }
}
