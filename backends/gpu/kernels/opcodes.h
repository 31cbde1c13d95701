/* Elementwise operations by number: the one list that C++ and the kernels share (also valid OpenCL C). */
#ifndef SLUICE_GPU_OPCODES
#define SLUICE_GPU_OPCODES

/* One operand: f(x) with parameters a and b. */
#define OP_NONE 0
#define OP_RELU 1
#define OP_LEAKY 2        /* x < 0 ? a x : x */
#define OP_CLIP 3         /* to a..b */
#define OP_HARD_SIGMOID 4 /* clip(a x + b, 0, 1) */
#define OP_HARD_SWISH 5   /* x clip(a x + b, 0, 1) */
#define OP_SIGMOID 6
#define OP_SILU 7   /* x sigmoid(x) */
#define OP_AFFINE 8 /* a x + b */
#define OP_ELU 9    /* x < 0 ? a (exp(x) - 1) : x */
#define OP_TANH 10
#define OP_GELU 11
#define OP_GELU_TANH 12
#define OP_ERF 13
#define OP_EXP 14
#define OP_LOG 15
#define OP_SQRT 16
#define OP_ABS 17
#define OP_NEG 18
#define OP_RECIPROCAL 19
#define OP_FLOOR 20
#define OP_CEIL 21
#define OP_ROUND 22 /* half to even */
#define OP_TRUNC 23
#define OP_NONZERO 24 /* x != 0 ? 1 : 0 */
#define OP_HALF 25    /* rounded to float16 */
#define OP_WRAP 26    /* the higher bits gone: to a.. a + b - 1 in steps of b */
/* Two operands: g(x, y). */
#define OP_ADD 32
#define OP_SUB 33
#define OP_RSUB 34 /* y - x */
#define OP_MUL 35
#define OP_DIV 36
#define OP_RDIV 37 /* y / x */
#define OP_POW 38
#define OP_RPOW 39 /* y to the x */
#define OP_MIN 40
#define OP_MAX 41
#define OP_PRELU 42 /* x < 0 ? x y : x */

/* Where a chain step's second operand comes from. */
#define FROM_NOWHERE 0
#define FROM_PARAMETER 1  /* a */
#define FROM_SAME_PLACE 2 /* the same element of another tensor */
#define FROM_CYCLE 3      /* element (i / inner) % count of a smaller tensor */

#endif
