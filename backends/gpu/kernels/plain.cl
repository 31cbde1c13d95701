// Convolutions and pools on plain tensors: any rank up to 3 spatial dimensions, weights that only the run knows.
// g: IN channels, OUT channels, groups, then in, out, kernel, stride, pad, dilation of D, H, W each.
#define IC g[0]
#define OC g[1]
#define GROUP_COUNT g[2]
#define SIZE(what, axis) g[3 + (what) * 3 + (axis)]
#define SIZE_IN 0
#define SIZE_OUT 1
#define KERNEL 2
#define STRIDE 3
#define PAD 4
#define DILATION 5

__kernel void conv_plain(IN x, IN w, IN bias, OUT y, __global const int* restrict g, int n, int has_bias) {
  const int i = get_global_id(0);
  if (i >= n) return;
  const int ox = i % SIZE(SIZE_OUT, 2), r = i / SIZE(SIZE_OUT, 2), oy = r % SIZE(SIZE_OUT, 1);
  const int r2 = r / SIZE(SIZE_OUT, 1), oz = r2 % SIZE(SIZE_OUT, 0), r3 = r2 / SIZE(SIZE_OUT, 0);
  const int oc = r3 % OC, b = r3 / OC, ic = IC / GROUP_COUNT, first = oc / (OC / GROUP_COUNT) * ic;
  float sum = has_bias ? LOAD1(bias, oc) : 0.0f;
  for (int c = 0; c < ic; ++c)
    for (int kz = 0; kz < SIZE(KERNEL, 0); ++kz) {
      const int iz = oz * SIZE(STRIDE, 0) - SIZE(PAD, 0) + kz * SIZE(DILATION, 0);
      if (iz < 0 || iz >= SIZE(SIZE_IN, 0)) continue;
      for (int ky = 0; ky < SIZE(KERNEL, 1); ++ky) {
        const int iy = oy * SIZE(STRIDE, 1) - SIZE(PAD, 1) + ky * SIZE(DILATION, 1);
        if (iy < 0 || iy >= SIZE(SIZE_IN, 1)) continue;
        const int row = ((b * IC + first + c) * SIZE(SIZE_IN, 0) + iz) * SIZE(SIZE_IN, 1) + iy;
        const int k = ((oc * ic + c) * SIZE(KERNEL, 0) + kz) * SIZE(KERNEL, 1) + ky;
        for (int kx = 0; kx < SIZE(KERNEL, 2); ++kx) {
          const int ix = ox * SIZE(STRIDE, 2) - SIZE(PAD, 2) + kx * SIZE(DILATION, 2);
          if (ix >= 0 && ix < SIZE(SIZE_IN, 2))
            sum += LOAD1(x, row * SIZE(SIZE_IN, 2) + ix) * LOAD1(w, k * SIZE(KERNEL, 2) + kx);
        }
      }
    }
  STORE1(sum, i, y);
}

// Where in the input the output position o took part through tap k; -1: nowhere.
static inline int source(int o, int k, int stride, int pad, int dilation, int size) {
  const int t = o + pad - k * dilation;
  return t >= 0 && t % stride == 0 && t / stride < size ? t / stride : -1;
}
__kernel void conv_transpose_plain(IN x, IN w, IN bias, OUT y, __global const int* restrict g, int n, int has_bias) {
  const int i = get_global_id(0);
  if (i >= n) return;
  const int ox = i % SIZE(SIZE_OUT, 2), r = i / SIZE(SIZE_OUT, 2), oy = r % SIZE(SIZE_OUT, 1);
  const int r2 = r / SIZE(SIZE_OUT, 1), oz = r2 % SIZE(SIZE_OUT, 0), r3 = r2 / SIZE(SIZE_OUT, 0);
  const int oc = r3 % OC, b = r3 / OC, ic = IC / GROUP_COUNT, ocg = OC / GROUP_COUNT, first = oc / ocg * ic;
  float sum = has_bias ? LOAD1(bias, oc) : 0.0f;
  for (int kz = 0; kz < SIZE(KERNEL, 0); ++kz) {
    const int iz = source(oz, kz, SIZE(STRIDE, 0), SIZE(PAD, 0), SIZE(DILATION, 0), SIZE(SIZE_IN, 0));
    if (iz < 0) continue;
    for (int ky = 0; ky < SIZE(KERNEL, 1); ++ky) {
      const int iy = source(oy, ky, SIZE(STRIDE, 1), SIZE(PAD, 1), SIZE(DILATION, 1), SIZE(SIZE_IN, 1));
      if (iy < 0) continue;
      for (int kx = 0; kx < SIZE(KERNEL, 2); ++kx) {
        const int ix = source(ox, kx, SIZE(STRIDE, 2), SIZE(PAD, 2), SIZE(DILATION, 2), SIZE(SIZE_IN, 2));
        if (ix < 0) continue;
        for (int c = 0; c < ic; ++c) {
          const int at = (((b * IC + first + c) * SIZE(SIZE_IN, 0) + iz) * SIZE(SIZE_IN, 1) + iy) * SIZE(SIZE_IN, 2) + ix;
          const int k = ((((first + c) * ocg + oc % ocg) * SIZE(KERNEL, 0) + kz) * SIZE(KERNEL, 1) + ky) *
                            SIZE(KERNEL, 2) + kx;
          sum += LOAD1(x, at) * LOAD1(w, k);
        }
      }
    }
  }
  STORE1(sum, i, y);
}

// mean: 0 maximum, 1 mean over what is inside, 2 mean that counts the padding (up to its end).
__kernel void pool_plain(IN x, OUT y, __global const int* restrict g, int n, int mean, int end_z, int end_y, int end_x) {
  const int i = get_global_id(0);
  if (i >= n) return;
  const int ox = i % SIZE(SIZE_OUT, 2), r = i / SIZE(SIZE_OUT, 2), oy = r % SIZE(SIZE_OUT, 1);
  const int r2 = r / SIZE(SIZE_OUT, 1), oz = r2 % SIZE(SIZE_OUT, 0), b = r2 / SIZE(SIZE_OUT, 0);
  float best = -INFINITY, sum = 0.0f;
  int inside = 0, counted = 0;
  for (int kz = 0; kz < SIZE(KERNEL, 0); ++kz) {
    const int iz = oz * SIZE(STRIDE, 0) - SIZE(PAD, 0) + kz * SIZE(DILATION, 0);
    for (int ky = 0; ky < SIZE(KERNEL, 1); ++ky) {
      const int iy = oy * SIZE(STRIDE, 1) - SIZE(PAD, 1) + ky * SIZE(DILATION, 1);
      for (int kx = 0; kx < SIZE(KERNEL, 2); ++kx) {
        const int ix = ox * SIZE(STRIDE, 2) - SIZE(PAD, 2) + kx * SIZE(DILATION, 2);
        if (iz < end_z && iy < end_y && ix < end_x) ++counted;
        if (iz < 0 || iz >= SIZE(SIZE_IN, 0) || iy < 0 || iy >= SIZE(SIZE_IN, 1) || ix < 0 || ix >= SIZE(SIZE_IN, 2))
          continue;
        const float v = LOAD1(x, ((b * SIZE(SIZE_IN, 0) + iz) * SIZE(SIZE_IN, 1) + iy) * SIZE(SIZE_IN, 2) + ix);
        best = LARGER(best, v);
        sum += v;
        ++inside;
      }
    }
  }
  STORE1(mean == 0 ? best : sum / (float)(mean == 1 ? inside : counted), i, y);
}
