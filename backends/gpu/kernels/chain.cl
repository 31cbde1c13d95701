// Elementwise operations: any number of them in one pass over the tensor.
static inline vec apply_one(vec v, int op, float a, float b) {
  switch (op) {
    case OP_AFFINE: return a * v + b;
    case OP_ELU: return BELOW_ZERO(v, a * (exp(v) - 1.0f));
    case OP_TANH: return tanh(v);
    case OP_GELU: return 0.5f * v * (1.0f + erf(v * M_SQRT1_2_F));
    case OP_GELU_TANH: return 0.5f * v * (1.0f + tanh(0.7978845608f * (v + 0.044715f * v * v * v)));
    case OP_ERF: return erf(v);
    case OP_EXP: return exp(v);
    case OP_LOG: return log(v);
    case OP_SQRT: return sqrt(v);
    case OP_ABS: return fabs(v);
    case OP_NEG: return -v;
    case OP_RECIPROCAL: return 1.0f / v;
    case OP_FLOOR: return floor(v);
    case OP_CEIL: return ceil(v);
    case OP_ROUND: return rint(v);
    case OP_TRUNC: return trunc(v);
    case OP_WRAP: return v - b * floor((v - a) / b);
    default: return activate(v, op, a, b);
  }
}
// What has no vector form: one lane after the other.
static inline float apply_lane(float v, int op) {
  if (op == OP_NONZERO) return v != 0.0f ? 1.0f : 0.0f;
  ushort bits;
  vstore_half_rte(v, 0, (half*)&bits);
  return vload_half(0, (half*)&bits);
}
static inline vec apply_lanes(vec v, int op) {
  float lanes[SLUICE_LANES];
  VSTORE(v, 0, lanes);
  for (int k = 0; k < SLUICE_LANES; ++k) lanes[k] = apply_lane(lanes[k], op);
  return VLOAD(0, lanes);
}
static inline vec apply_two(vec x, vec y, int op) {
  switch (op) {
    case OP_ADD: return x + y;
    case OP_SUB: return x - y;
    case OP_RSUB: return y - x;
    case OP_MUL: return x * y;
    case OP_DIV: return x / y;
    case OP_RDIV: return y / x;
    case OP_POW: return pow(x, y);
    case OP_RPOW: return pow(y, x);
    case OP_MIN: return SMALLER(x, y);
    case OP_MAX: return LARGER(x, y);
    case OP_PRELU: return BELOW_ZERO(x, y * x);
    default: return x;
  }
}

// Lanes of `vec` number i from a smaller tensor: plain counts elements, NC4HW4 groups of four.
static inline vec cycle(IN p, int i, int inner, int count, int packed) {
  float lanes[SLUICE_LANES];
  for (int g = 0; g < GROUPS; ++g) {
    const int at = i * GROUPS + g;
    if (packed) {
      vstore4(LOAD4(p, (at / inner) % count), g, lanes);
    } else {
      for (int k = 0; k < 4; ++k) lanes[g * 4 + k] = LOAD1(p, ((at * 4 + k) / inner) % count);
    }
  }
  return VLOAD(0, lanes);
}
// Zero in the lanes beyond the last channel.
static inline vec without_padding(vec v, int i, int inner, int groups, int channels) {
  float lanes[SLUICE_LANES];
  VSTORE(v, 0, lanes);
  for (int k = 0; k < SLUICE_LANES; ++k) {
    const int group = ((i * GROUPS + k / 4) / inner) % groups;
    if (group * 4 + k % 4 >= channels) lanes[k] = 0.0f;
  }
  return VLOAD(0, lanes);
}

// steps: two int4 each: {op, source of the operand, bits of a, bits of b}, {operand 0..2, inner, count, 0}.
// `vectors` of `vec`; buffers are rounded up, so the last one may run over the tensor's end.
// channels > 0: NC4HW4 with `inner` pixels whose padding must be cleared; packed: NC4HW4.
__kernel void chain(IN x, OUT y, __global const int4* restrict steps, int count, IN o0, IN o1, IN o2, int vectors,
                    int packed, int inner, int channels) {
  const int i = get_global_id(0);
  if (i >= vectors) return;
  vec v = LOADV(x, i);
  for (int s = 0; s < count; ++s) {
    const int4 step = steps[2 * s];
    const int4 where = steps[2 * s + 1];
    const float a = as_float(step.z);
    if (step.y == FROM_NOWHERE) {
      v = step.x == OP_NONZERO || step.x == OP_HALF ? apply_lanes(v, step.x)
                                                    : apply_one(v, step.x, a, as_float(step.w));
      continue;
    }
    __global const in_t* o = where.x == 0 ? o0 : where.x == 1 ? o1 : o2;
    vec y_side = (vec)(a);
    if (step.y == FROM_SAME_PLACE) y_side = LOADV(o, i);
    if (step.y == FROM_CYCLE) y_side = cycle(o, i, where.y, where.z, packed);
    v = apply_two(v, y_side, step.x);
  }
  if (channels > 0) v = without_padding(v, i, inner, (channels + 3) / 4, channels);
  STOREV(v, i, y);
}

// Full broadcasting; m: 6 output dimensions, 6 strides of a, 6 of b.
__kernel void broadcast(IN a, IN b, OUT y, __global const int* restrict m, int n, int op) {
  const int i = get_global_id(0);
  if (i >= n) return;
  int rest = i, at = 0, bt = 0;
  for (int d = 5; d >= 0; --d) {
    const int k = rest % m[d];
    rest /= m[d];
    at += k * m[6 + d];
    bt += k * m[12 + d];
  }
  const vec v = apply_two((vec)(LOAD1(a, at)), (vec)(LOAD1(b, bt)), op);
#if SLUICE_LANES == 16
  STORE1(v.s0, i, y);
#else
  STORE1(v.x, i, y);
#endif
}
