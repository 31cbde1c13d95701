// Put in front of every unit. Tensors are float32 or float16 in memory, those that a launch reads (IN) and those that it
// writes (OUT) of one type each, and float32 in registers.
// Layouts: plain (ONNX order, dense) and NC4HW4: [n][c / 4][h w][4], the lanes beyond C are zero.
#define HALF1(p, i) vload_half((i), (p))
#define HALF4(p, i) vloada_half4((i), (p))
// By fours: some drivers take it that the wider ones (vload_half16) lie at multiples of their own size.
#define HALF8(p, i) (float8)(HALF4((p), (i)), HALF4((p), (i) + 1))
#define HALF16(p, i) (float16)(HALF8((p), (i)), HALF8((p), (i) + 2))
#define FLOAT1(p, i) ((p)[i])
#define FLOAT4(p, i) (((__global const float4*)(p))[i])
#define FLOAT8(p, i) vload8(0, (p) + (i) * 4)
#define FLOAT16(p, i) vload16(0, (p) + (i) * 4)
#ifdef SLUICE_HALF_IN
typedef half in_t;
#define LOAD1 HALF1
#define LOAD4 HALF4
#define LOAD8 HALF8
#define LOAD16 HALF16
#else
typedef float in_t;
#define LOAD1 FLOAT1
#define LOAD4 FLOAT4
#define LOAD8 FLOAT8
#define LOAD16 FLOAT16
#endif
#ifdef SLUICE_HALF_OUT
typedef half out_t;
#define BACK4 HALF4
#define BACK16 HALF16
#define STORE1(v, i, p) vstore_half_rte((v), (i), (p))
#define STORE4(v, i, p) vstorea_half4_rte((v), (i), (p))
static inline void store_eight(float8 v, int i, __global half* p) {
  STORE4(v.lo, i, p);
  STORE4(v.hi, i + 1, p);
}
static inline void store_sixteen(float16 v, int i, __global half* p) {
  store_eight(v.lo, i, p);
  store_eight(v.hi, i + 2, p);
}
#define STORE8(v, i, p) store_eight((v), (i), (p))
#define STORE16(v, i, p) store_sixteen((v), (i), (p))
#else
typedef float out_t;
#define BACK4 FLOAT4
#define BACK16 FLOAT16
#define STORE1(v, i, p) ((p)[i] = (v))
#define STORE4(v, i, p) (((__global float4*)(p))[i] = (v))
#define STORE8(v, i, p) vstore8((v), 0, (p) + (i) * 4)
#define STORE16(v, i, p) vstore16((v), 0, (p) + (i) * 4)
#endif
// The indices of HALF4 to STORE16 count groups of 4 elements; the wider ones may start at any group.
#define IN __global const in_t* restrict
#define OUT __global out_t* restrict
#define BACK __global const out_t* restrict /* read, in the element type of what is written */
// Constants of convolutions that stay float32: biases, slopes, taps of depthwise ones.
#define FLOATS __global const float* restrict

// `vec`: one work item's output channels (SLUICE_LANES of them; 24 and 32 only in convolutions).
#if SLUICE_LANES == 16 || SLUICE_LANES == 32
typedef float16 vec;  // of 32 lanes a half
#define LOADV(p, i) LOAD16((p), (i) * 4)
#define STOREV(v, i, p) STORE16((v), (i) * 4, (p))
#define VLOAD vload16
#define VSTORE vstore16
#define GROUPS (SLUICE_LANES / 4)
#elif SLUICE_LANES == 8 || SLUICE_LANES == 24
typedef float8 vec;  // of 24 lanes a third
#define LOADV(p, i) LOAD8((p), (i) * 2)
#define STOREV(v, i, p) STORE8((v), (i) * 2, (p))
#define VLOAD vload8
#define VSTORE vstore8
#define GROUPS (SLUICE_LANES / 4)
#else
typedef float4 vec;
#define LOADV(p, i) LOAD4((p), (i))
#define STOREV(v, i, p) STORE4((v), (i), (p))
#define VLOAD vload4
#define VSTORE vstore4
#define GROUPS 1
#endif

#define ALWAYS static inline __attribute__((always_inline))

// What is no number stays none, as with ONNX Runtime's CPU provider: fmax and fmin would put the other operand in its
// place, and a model that fails would look well. `limit` is a number; of LARGER and SMALLER both sides may be none.
#define AT_LEAST(v, limit) ((v) < (limit) ? (limit) : (v))
#define AT_MOST(v, limit) ((v) > (limit) ? (limit) : (v))
#define LARGER(v, w) (((v) < (w)) | ((w) != (w)) ? (w) : (v))
#define SMALLER(v, w) (((v) > (w)) | ((w) != (w)) ? (w) : (v))
// Below zero another value.
#define BELOW_ZERO(v, other) ((v) < 0.0f ? (other) : (v))

// The activations that convolutions and matrix products apply before they store.
#define DEFINE_ACTIVATE(name, type)                                                                  \
  inline type name(type v, int op, float a, float b) {                                              \
    switch (op) {                                                                                   \
      case OP_RELU: return AT_LEAST(v, (type)(0.0f));                                               \
      case OP_LEAKY: return BELOW_ZERO(v, a * v);                                                   \
      case OP_CLIP: return AT_MOST(AT_LEAST(v, (type)(a)), (type)(b));                              \
      case OP_HARD_SIGMOID: return AT_MOST(AT_LEAST(a * v + b, (type)(0.0f)), (type)(1.0f));        \
      case OP_HARD_SWISH: return v * AT_MOST(AT_LEAST(a * v + b, (type)(0.0f)), (type)(1.0f));      \
      case OP_SIGMOID: return 1.0f / (1.0f + exp(-v));                                              \
      case OP_SILU: return v / (1.0f + exp(-v));                                                    \
      default: return v;                                                                            \
    }                                                                                               \
  }
DEFINE_ACTIVATE(activate, vec)
