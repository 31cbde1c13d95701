// Matrix products on plain tensors. B is packed [batch][group of lanes][k][lanes] (at compile time when it is a
// constant); a work item makes SLUICE_LANES columns of 4 rows.

__kernel void pack(IN b, OUT packed, int batches, int k, int n, int stride_batch, int stride_k, int stride_n) {
  const int i = get_global_id(0);
  const int groups = (n + SLUICE_LANES - 1) / SLUICE_LANES;
  if (i >= batches * groups * k * SLUICE_LANES) return;
  const int lane = i % SLUICE_LANES, r = i / SLUICE_LANES, row = r % k, r2 = r / k, g = r2 % groups, batch = r2 / groups;
  const int column = g * SLUICE_LANES + lane;
  STORE1(column < n ? LOAD1(b, batch * stride_batch + row * stride_k + column * stride_n) : 0.0f, i, packed);
}

static inline void put(vec v, int at, int left, OUT y) {
  float lanes[SLUICE_LANES];
  VSTORE(v, 0, lanes);
  for (int k = 0; k < SLUICE_LANES && k < left; ++k) STORE1(lanes[k], at + k, y);
}

// a_batch: elements between matrices of A (0: one for all); b_batches[z]: which packed B; bias: per column.
__kernel void matmul(IN a, IN packed, IN bias, OUT y, __global const int* restrict a_batch,
                     __global const int* restrict b_batch, int m, int n, int k, int stride_m, int stride_k, int has_bias,
                     int act, float act_a, float act_b) {
  const int g = get_global_id(0), row = get_global_id(1) * 4, z = get_global_id(2);
  const int groups = (n + SLUICE_LANES - 1) / SLUICE_LANES;
  if (g >= groups) return;
  const int left = m - row;
  __global const in_t* x0 = a + a_batch[z] + row * stride_m;
  __global const in_t* x1 = x0 + min(1, left - 1) * stride_m;
  __global const in_t* x2 = x0 + min(2, left - 1) * stride_m;
  __global const in_t* x3 = x0 + min(3, left - 1) * stride_m;
  vec a0 = has_bias ? LOADV(bias, g) : (vec)(0.0f), a1 = a0, a2 = a0, a3 = a0;
  const int wi = (b_batch[z] * groups + g) * k;
  if (left == 1) {
    for (int i = 0; i < k; ++i) a0 += LOAD1(x0, i * stride_k) * LOADV(packed, wi + i);
  } else {
    for (int i = 0; i < k; ++i) {
      const vec w = LOADV(packed, wi + i);
      const int at = i * stride_k;
      a0 += LOAD1(x0, at) * w;
      a1 += LOAD1(x1, at) * w;
      a2 += LOAD1(x2, at) * w;
      a3 += LOAD1(x3, at) * w;
    }
  }
  const int at = (z * m + row) * n + g * SLUICE_LANES, wide = n - g * SLUICE_LANES;
  put(activate(a0, act, act_a, act_b), at, wide, y);
  if (left > 1) put(activate(a1, act, act_a, act_b), at + n, wide, y);
  if (left > 2) put(activate(a2, act, act_a, act_b), at + 2 * n, wide, y);
  if (left > 3) put(activate(a3, act, act_a, act_b), at + 3 * n, wide, y);
}
