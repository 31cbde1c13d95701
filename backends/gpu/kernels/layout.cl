// Copies between the layouts.

// plain [n][c][p] with strides to NC4HW4.
__kernel void to_c4(IN x, OUT y, int channels, int pixels, int stride_n, int stride_c, int stride_p) {
  const int p = get_global_id(0), g = get_global_id(1), n = get_global_id(2);
  if (p >= pixels) return;
  const int c = g * 4, at = n * stride_n + c * stride_c + p * stride_p;
  float4 v = (float4)(0.0f);
  v.x = LOAD1(x, at);
  if (c + 1 < channels) v.y = LOAD1(x, at + stride_c);
  if (c + 2 < channels) v.z = LOAD1(x, at + 2 * stride_c);
  if (c + 3 < channels) v.w = LOAD1(x, at + 3 * stride_c);
  STORE4(v, (n * ((channels + 3) / 4) + g) * pixels + p, y);
}
// NC4HW4 to plain with strides.
__kernel void from_c4(IN x, OUT y, int channels, int pixels, int stride_n, int stride_c, int stride_p) {
  const int p = get_global_id(0), g = get_global_id(1), n = get_global_id(2);
  if (p >= pixels) return;
  const int c = g * 4, at = n * stride_n + c * stride_c + p * stride_p;
  const float4 v = LOAD4(x, (n * ((channels + 3) / 4) + g) * pixels + p);
  STORE1(v.x, at, y);
  if (c + 1 < channels) STORE1(v.y, at + stride_c, y);
  if (c + 2 < channels) STORE1(v.z, at + 2 * stride_c, y);
  if (c + 3 < channels) STORE1(v.w, at + 3 * stride_c, y);
}
