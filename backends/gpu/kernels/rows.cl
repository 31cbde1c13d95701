// What needs a whole row of a plain tensor: reductions, softmax, normalisation.

// m: 4 kept dimensions, their strides, 4 reduced ones, their strides. op: 0 sum, 1 mean, 2 maximum, 3 minimum.
__kernel void reduce(IN x, OUT y, __global const int* restrict m, int n, int op) {
  const int i = get_global_id(0);
  if (i >= n) return;
  int rest = i, from = 0;
  for (int d = 3; d >= 0; --d) {
    from += rest % m[d] * m[4 + d];
    rest /= m[d];
  }
  float sum = 0.0f, most = -INFINITY, least = INFINITY;
  for (int a = 0; a < m[8]; ++a)
    for (int b = 0; b < m[9]; ++b)
      for (int c = 0; c < m[10]; ++c) {
        const int at = from + a * m[12] + b * m[13] + c * m[14];
        float part = 0.0f;
        for (int d = 0; d < m[11]; ++d) {
          const float v = LOAD1(x, at + d * m[15]);
          part += v;
          most = LARGER(most, v);
          least = SMALLER(least, v);
        }
        sum += part;
      }
  const float count = (float)m[8] * (float)m[9] * (float)m[10] * (float)m[11];
  STORE1(op == 0 ? sum : op == 1 ? sum / count : op == 2 ? most : least, i, y);
}

// View [outer][length][inner]; n = outer * inner rows.
__kernel void softmax(IN x, OUT y, int n, int length, int inner, int logarithm) {
  const int i = get_global_id(0);
  if (i >= n) return;
  const int base = i / inner * length * inner + i % inner;
  float most = -INFINITY;
  for (int k = 0; k < length; ++k) most = fmax(most, LOAD1(x, base + k * inner));
  float sum = 0.0f;
  for (int k = 0; k < length; ++k) sum += exp(LOAD1(x, base + k * inner) - most);
  const float scale = 1.0f / sum, shift = most + log(sum);
  for (int k = 0; k < length; ++k) {
    const float v = LOAD1(x, base + k * inner);
    STORE1(logarithm ? v - shift : exp(v - most) * scale, base + k * inner, y);
  }
}
// The same for rows of 4 * groups elements that lie together.
__kernel void softmax4(IN x, OUT y, int n, int groups, int logarithm) {
  const int i = get_global_id(0);
  if (i >= n) return;
  float4 most4 = (float4)(-INFINITY), sum4 = (float4)(0.0f);
  for (int k = 0; k < groups; ++k) most4 = fmax(most4, LOAD4(x, i * groups + k));
  const float most = fmax(fmax(most4.x, most4.y), fmax(most4.z, most4.w));
  for (int k = 0; k < groups; ++k) sum4 += exp(LOAD4(x, i * groups + k) - most);
  const float sum = sum4.x + sum4.y + sum4.z + sum4.w, scale = 1.0f / sum, shift = most + log(sum);
  for (int k = 0; k < groups; ++k) {
    const float4 v = LOAD4(x, i * groups + k);
    STORE4(logarithm ? v - shift : exp(v - most) * scale, i * groups + k, y);
  }
}

// (x - mean) / sqrt(variance + epsilon) * scale + bias per row of `length`. Scale and bias: element k of the row
// when per_element, else element row % channels.
// (`normalize` alone is a function of OpenCL C.)
__kernel void normalize_rows(IN x, IN scale, IN bias, OUT y, OUT mean_out, OUT inverse_out, int n, int length, float epsilon,
                        int per_element, int channels, int has_bias, int statistics) {
  const int i = get_global_id(0);
  if (i >= n) return;
  const int base = i * length;
  float sum = 0.0f, squares = 0.0f;
  for (int k = 0; k < length; ++k) sum += LOAD1(x, base + k);
  const float mean = sum / (float)length;
  for (int k = 0; k < length; ++k) {
    const float d = LOAD1(x, base + k) - mean;
    squares += d * d;
  }
  const float inverse = 1.0f / sqrt(squares / (float)length + epsilon);
  for (int k = 0; k < length; ++k) {
    const int c = per_element ? k : i % channels;
    const float v = (LOAD1(x, base + k) - mean) * inverse * LOAD1(scale, c);
    STORE1(has_bias ? v + LOAD1(bias, c) : v, base + k, y);
  }
  if (statistics) {
    STORE1(mean, i, mean_out);
    STORE1(inverse, i, inverse_out);
  }
}
