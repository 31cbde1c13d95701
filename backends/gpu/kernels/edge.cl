// Where tensors enter and leave: the model's element types on one side, ours on the other.
// type: element_types.h.
__kernel void enter(__global const uchar* restrict x, OUT y, int n, int type) {
  const int i = get_global_id(0);
  if (i >= n) return;
  float v = 0.0f;
  switch (type) {
    case TYPE_FLOAT32: v = ((__global const float*)x)[i]; break;
    case TYPE_FLOAT16: v = vload_half(i, (__global const half*)x); break;
    case TYPE_UINT8: v = x[i]; break;
    case TYPE_INT8: v = ((__global const char*)x)[i]; break;
    case TYPE_UINT16: v = ((__global const ushort*)x)[i]; break;
    case TYPE_INT16: v = ((__global const short*)x)[i]; break;
    case TYPE_INT32: v = ((__global const int*)x)[i]; break;
    case TYPE_INT64: v = ((__global const long*)x)[i]; break;
  }
  STORE1(v, i, y);
}
__kernel void leave(IN x, __global uchar* restrict y, int n, int type) {
  const int i = get_global_id(0);
  if (i >= n) return;
  const float v = LOAD1(x, i);
  switch (type) {
    case TYPE_FLOAT32: ((__global float*)y)[i] = v; break;
    case TYPE_FLOAT16: vstore_half_rte(v, i, (__global half*)y); break;
    case TYPE_UINT8: y[i] = convert_uchar_sat_rte(v); break;
    case TYPE_INT8: ((__global char*)y)[i] = convert_char_sat_rte(v); break;
    case TYPE_UINT16: ((__global ushort*)y)[i] = convert_ushort_sat_rte(v); break;
    case TYPE_INT16: ((__global short*)y)[i] = convert_short_sat_rte(v); break;
    case TYPE_INT32: ((__global int*)y)[i] = convert_int_sat_rte(v); break;
    case TYPE_INT64: ((__global long*)y)[i] = convert_long_sat_rte(v); break;
  }
}
